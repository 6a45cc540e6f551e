//! Tags on nodes and conditions on them.

mod condition;
mod list;
mod prefer;

pub use condition::{Condition, Selector, Test};
pub use list::InvalidTags;
pub use prefer::{Preference, Preferences};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// `key=value` pairs a node carries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Tags(pub BTreeMap<String, String>);

impl FromStr for Tags {
    type Err = InvalidTags;

    fn from_str(s: &str) -> Result<Self, InvalidTags> {
        const WANTED: &str = "a list of key=value pairs";
        let pair = |item: list::Item<'_>| {
            let (key, value) = item.text.split_once(['=', ':']).ok_or_else(|| item.not(WANTED))?;
            let key = item.key(key, WANTED)?;
            Ok((key, item.value(value)?))
        };
        list::items(s)?.into_iter().map(pair).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Vec<_> = self.0.iter().map(|(k, v)| format!("{k}={v}")).collect();
        f.write_str(&text.join(","))
    }
}
