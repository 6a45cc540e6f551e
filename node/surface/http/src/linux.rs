//! What this machine calls one of its users.

use nix::unistd::{Uid, User};
use std::sync::LazyLock;
use tokio::sync::Semaphore;

/// What the kernel says of everybody it cannot tell apart here, such as users of another namespace.
const OVERFLOW: u32 = 65_534;
/// Names that are looked up at once: a directory of the network may be slow, and threads are few.
const LOOKUPS: usize = 16;

/// The name of the Linux user `uid`; `uid:` and the number when it has none.
pub(crate) async fn name(uid: u32) -> String {
    static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(LOOKUPS));
    if uid == OVERFLOW {
        // No user can be given this name.
        return format!("nobody:{uid}");
    }
    let _room = ROOM.acquire().await.expect("invariant: never closed");
    let found = tokio::task::spawn_blocking(move || User::from_uid(Uid::from_raw(uid))).await;
    let name = found.ok().and_then(Result::ok).flatten().map(|user| user.name);
    name.filter(|n| ikigai_access::linux(n)).unwrap_or_else(|| format!("uid:{uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_has_its_name_or_its_number() {
        assert_eq!(name(0).await, "root");
        assert_eq!(name(3_999_999_999).await, "uid:3999999999");
        assert_eq!(name(OVERFLOW).await, "nobody:65534", "also where it has a name");
    }
}
