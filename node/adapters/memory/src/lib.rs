//! Every port in memory, for tests, simulation and embedders.
