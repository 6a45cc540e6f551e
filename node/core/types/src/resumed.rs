//! How an attempt that follows another began.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How an attempt that follows another began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Resumed {
    /// Its agent goes on with the session of the attempt before it.
    Warm,
    /// Its agent began anew, and was told what the attempt before it did last.
    Cold,
}

impl Resumed {
    /// The word people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
        }
    }
}

impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
