//! What a batch does, decided without touching a disk: every backend of [`Store`](super::Store) asks here.

use super::{Batch, Entry, Expect, MAX_BATCH, MAX_KEY};
use crate::{PortError, PortResult};
use std::collections::BTreeMap;

/// What is to be written to each key a batch names: the new entry, or `None` to remove it.
pub type Writes = BTreeMap<Vec<u8>, Option<Entry>>;

/// Decides `batch` against the present state, which `version` tells key by key (`None`: absent).
///
/// # Errors
/// [`PortError::Refused`] when the batch is out of bounds, [`PortError::Conflict`] when an expectation does
/// not hold, and whatever `version` answers.
pub fn resolve(
    batch: Batch,
    mut version: impl FnMut(&[u8]) -> PortResult<Option<u64>>,
) -> PortResult<Writes> {
    check(&batch)?;
    for (key, expect) in &batch.expect {
        let found = version(key)?;
        if !holds(*expect, found) {
            return Err(PortError::Conflict(conflict(key, *expect, found)));
        }
    }
    let last: BTreeMap<Vec<u8>, Option<Vec<u8>>> = batch.writes.into_iter().collect();
    last.into_iter()
        .map(|(key, value)| {
            let entry = match value {
                Some(value) => Some(Entry { value, version: version(&key)?.unwrap_or(0) + 1 }),
                None => None,
            };
            Ok((key, entry))
        })
        .collect()
}

/// Refuses a key or a batch that is out of bounds.
fn check(batch: &Batch) -> PortResult<()> {
    let keys = batch.expect.iter().map(|(key, _)| key).chain(batch.writes.iter().map(|(key, _)| key));
    for key in keys {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(PortError::Refused(format!(
                "a key has {} bytes; allowed are 1 to {MAX_KEY}",
                key.len()
            )));
        }
    }
    match batch.weight() {
        weight if weight > MAX_BATCH => Err(PortError::Refused(format!(
            "a batch has {weight} bytes; allowed are {MAX_BATCH}: write it in parts"
        ))),
        _ => Ok(()),
    }
}

fn holds(expect: Expect, found: Option<u64>) -> bool {
    match expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Version(version) => found == Some(version),
    }
}

fn conflict(key: &[u8], expect: Expect, found: Option<u64>) -> String {
    let expected = match expect {
        Expect::Version(version) => format!("version {version}"),
        Expect::Absent => "absence".to_owned(),
        Expect::Any => "anything".to_owned(),
    };
    let found = found.map_or("absent".to_owned(), |version| format!("at version {version}"));
    let shown: String = key.escape_ascii().take(80).map(char::from).collect();
    format!("key `{shown}` is {found}, {expected} was expected")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: Option<u64>) -> impl FnMut(&[u8]) -> PortResult<Option<u64>> {
        move |_| Ok(version)
    }

    #[test]
    fn a_key_is_written_once_with_its_last_operation() {
        let batch = Batch::default().put("a", "1").delete("a").put("a", "2").put("b", "1").delete("b");
        let writes = resolve(batch, at(Some(4))).unwrap();
        assert_eq!(writes[b"a".as_slice()], Some(Entry { value: b"2".to_vec(), version: 5 }));
        assert_eq!(writes[b"b".as_slice()], None);
    }

    #[test]
    fn conflicts_name_the_key_and_both_states() {
        let error = resolve(Batch::default().expect("k\n", Expect::Version(2)), at(Some(3))).unwrap_err();
        assert_eq!(error.to_string(), r"key `k\n` is at version 3, version 2 was expected");
        let error = resolve(Batch::default().expect("k", Expect::Version(2)), at(None)).unwrap_err();
        assert_eq!(error.to_string(), "key `k` is absent, version 2 was expected");
        assert!(resolve(Batch::default().expect("k", Expect::Absent), at(None)).unwrap().is_empty());
    }

    #[test]
    fn bounds_are_held_before_anything_is_asked() {
        let never = |_: &[u8]| -> PortResult<Option<u64>> { panic!("asked") };
        for key in [Vec::new(), vec![0; MAX_KEY + 1]] {
            assert!(matches!(
                resolve(Batch::default().put(key.clone(), "x"), never),
                Err(PortError::Refused(_))
            ));
            assert!(matches!(
                resolve(Batch::default().expect(key, Expect::Any), never),
                Err(PortError::Refused(_))
            ));
        }
        let heavy = Batch::default().put("k", vec![0; MAX_BATCH]);
        assert!(matches!(resolve(heavy, never), Err(PortError::Refused(_))));
    }
}
