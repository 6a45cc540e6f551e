//! The Model port over HTTP providers, and a scripted provider.
