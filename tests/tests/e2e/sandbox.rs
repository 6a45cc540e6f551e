//! `ikigai sandbox test`, as a person types it.

use crate::parts;
use std::path::Path;
use std::process::{Command, Output};

fn try_out(home: &Path, image: &str) -> Output {
    let mut ikigai = Command::new(parts::built("ikigai"));
    ikigai.args(["sandbox", "test", "--json", "--home"]).arg(home).current_dir(home);
    ikigai.env("IKIGAI_EXECUTOR_BACKEND", "docker").env("IKIGAI_EXECUTOR_IMAGE", image);
    ikigai.output().unwrap()
}

#[test]
fn a_person_tries_the_ways_out_of_an_agents_container() {
    let Some(image) = parts::docker_image("a_person_tries_the_ways_out_of_an_agents_container") else {
        return;
    };
    let home = tempfile::Builder::new().prefix("ikigai-e2e").tempdir().unwrap();
    let tried = try_out(home.path(), &image);
    let said = String::from_utf8_lossy(&tried.stderr);
    assert_eq!(tried.status.code(), Some(0), "{said}");
    let list: serde_json::Value = serde_json::from_slice(&tried.stdout).unwrap();
    let ways = list["items"].as_array().unwrap();
    assert!(ways.len() >= 60, "{}", ways.len());
    let open: Vec<_> = ways.iter().filter(|w| w["result"] != "blocked").collect();
    assert!(open.is_empty(), "{open:#?}");

    let absent = try_out(home.path(), &format!("sha256:{}", "0f".repeat(32)));
    let said = String::from_utf8_lossy(&absent.stderr);
    assert_eq!(absent.status.code(), Some(1), "a container that did not start is no pass: {said}");
    assert!(said.contains("the sandbox was not tried"), "{said}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "it cleans up behind itself");
}
