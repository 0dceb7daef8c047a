"""The plans of `steps.configure`, a module for each thing of a host. All pure: params and one look at the host in, changes out."""
