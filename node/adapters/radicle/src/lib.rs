//! The Forge and Signer ports on Radicle.
