//! Workspaces, safe collection of results, and the Forge port on a bare git repository.
