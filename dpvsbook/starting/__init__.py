"""The dpvs process of a director: whether it runs and is ready, how it is started, and what its log says when it isn't."""
