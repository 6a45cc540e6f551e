//! Git objects between two nodes: only what is missing, and nothing that is not whole.

use crate::support::*;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ikigai_git::GitWorkspaces;
use ikigai_ports::objects::{Objects as _, Pack};
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, Workspaces as _};

async fn bytes(pack: Pack) -> Vec<u8> {
    pack.try_collect::<Vec<Bytes>>().await.unwrap().concat()
}

fn pack(bytes: &[u8]) -> Pack {
    stream::iter([Ok(Bytes::copy_from_slice(bytes))]).boxed()
}

#[tokio::test]
async fn a_commit_moves_to_another_node_and_back_with_only_what_is_missing() {
    let noise: String = (0..50_000_u32).map(|i| i.wrapping_mul(2_654_435_761).to_string()).collect();
    let (world, base) = World::new(&[("big.txt", &noise), ("a.rs", "one\n")]).await;
    let other = GitWorkspaces::new(world.dir.path().join("other"), 10001).unwrap();
    let project = &world.project;
    assert!(!other.has(project, &base).await.unwrap());
    let first = bytes(world.spaces.pack(project, &base, &[]).await.unwrap()).await;
    other.unpack(project, &base, pack(&first)).await.unwrap();
    assert!(other.has(project, &base).await.unwrap());
    assert_eq!(other.tips(project, 8).await.unwrap(), std::slice::from_ref(&base));

    let fence = fence("p.f.T001", 1, 1);
    let space = other.create(project, &fence, &base).await.unwrap();
    write(&space, "a.rs", "two\n");
    commit_all(&space, "two");
    let change = other.collect(project, &fence, &base, &world.signer).await.unwrap().unwrap();
    let have = world.spaces.tips(project, 8).await.unwrap();
    let back = bytes(other.pack(project, &change.head, &have).await.unwrap()).await;
    assert!(back.len() * 20 < first.len(), "{} bytes back, {} bytes there", back.len(), first.len());
    world.spaces.unpack(project, &change.head, pack(&back)).await.unwrap();
    assert!(world.spaces.has(project, &change.head).await.unwrap());
    assert!(world.spaces.diff(project, &change).await.unwrap().contains("+two"));
    // Once more, with everything there: the same.
    world.spaces.unpack(project, &change.head, pack(&back)).await.unwrap();
}

#[tokio::test]
async fn what_is_not_whole_or_not_asked_for_leaves_nothing() {
    let (world, base) = World::new(&[("a.rs", "one\n")]).await;
    let project = &world.project;
    let good = bytes(world.spaces.pack(project, &base, &[]).await.unwrap()).await;
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let other = GitWorkspaces::new(world.dir.path().join("other"), 10001).unwrap();
    for bad in [&good[..good.len() - 5], &flipped, b"", b"PACK", &[7; 4096]] {
        let error = other.unpack(project, &base, pack(bad)).await.unwrap_err();
        assert!(matches!(error, PortError::Corrupt(_)), "{error:?}");
        assert!(!other.has(project, &base).await.unwrap());
        assert!(other.tips(project, 8).await.unwrap().is_empty());
    }
    let unknown = Commit("1".repeat(40));
    let error = other.unpack(project, &unknown, pack(&good)).await.unwrap_err();
    assert!(matches!(error, PortError::Corrupt(_)), "{error:?}");
    let absent = world.spaces.pack(project, &unknown, &[]).await.err().unwrap();
    assert!(matches!(absent, PortError::NotFound(_)), "{absent:?}");
    let option = Commit("--upload-pack=touch /tmp/x".to_owned());
    let refused = world.spaces.pack(project, &option, &[]).await.err().unwrap();
    assert!(matches!(refused, PortError::Refused(_)), "{refused:?}");
}

#[tokio::test]
async fn what_came_from_another_node_is_let_go_when_something_else_keeps_it() {
    let (world, base) = World::new(&[("a", "0\n")]).await;
    let project = &world.project;
    let (checkout, bare) = (world.checkout(), world.bare());
    // A branch of forty commits, one off it that nobody else has, and one that a patch keeps.
    for n in 0..40 {
        git(&checkout, &["commit", "-q", "--allow-empty", "-m", &n.to_string()]);
    }
    world.spaces.import(project, &checkout, None).await.unwrap();
    let off = |text: &str| {
        let tree = format!("{}^{{tree}}", base.0);
        Commit(git(&bare, &["commit-tree", &tree, "-p", &base.0, "-m", text]))
    };
    let (alone, kept) = (off("alone"), off("kept"));
    let line = git(&bare, &["rev-list", "refs/heads/main"]);
    let line = line.lines().map(|id| Commit(id.to_owned()));
    let empty = bytes(world.spaces.pack(project, &base, std::slice::from_ref(&base)).await.unwrap()).await;
    let copies = world.spaces.copies();
    let moved = || git(&bare, &["for-each-ref", "--format=%(objectname)", "refs/ikigai/objects"]);
    world.spaces.unpack(project, &kept, pack(&empty)).await.unwrap();
    world.spaces.unpack(project, &alone, pack(&empty)).await.unwrap();
    copies.let_go(project, std::slice::from_ref(&kept)).await.unwrap();
    assert_eq!(moved().lines().count(), 2, "few are left as they are");
    for commit in line {
        world.spaces.unpack(project, &commit, pack(&empty)).await.unwrap();
    }
    assert!(moved().lines().count() < 32, "what the branch reaches is not kept twice");
    assert!(moved().contains(&alone.0) && moved().contains(&kept.0));
    assert!(world.spaces.has(project, &base).await.unwrap());
}
