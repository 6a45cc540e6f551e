//! Drivers that feed the machines and carry out their effects.
