"""What every model of the params has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Nothing is guessed (strict), nothing unknown is let by (forbid), nothing changes after it was read (frozen)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)
