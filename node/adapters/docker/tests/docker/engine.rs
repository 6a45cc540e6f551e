//! The engine and the image the tests run on.

use bollard::{API_DEFAULT_VERSION, Docker};
use ikigai_docker::{DockerExecutor, DockerOptions};
use ikigai_ports::PortError;
use std::io::Write as _;

/// Set by `make test` and by CI: a missing engine is then a failure.
const REQUIRED: &str = "IKIGAI_REQUIRE_DOCKER";

/// The image to use instead of the one below, by digest.
const IMAGE: &str = "IKIGAI_TEST_IMAGE";

const DEFAULT_IMAGE: &str = "debian:bookworm-slim";

/// An executor, and an image by digest; `None`, with the reason printed, on a machine without Docker.
pub(crate) async fn engine(test: &str) -> Option<(DockerExecutor, String)> {
    match connect().await {
        Ok(found) => Some(found),
        Err(why) => {
            assert!(
                std::env::var_os(REQUIRED).is_none_or(|v| v == "0"),
                "{test}: {REQUIRED} is set and {why}"
            );
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
            None
        }
    }
}

async fn connect() -> Result<(DockerExecutor, String), String> {
    let options = DockerOptions::default();
    let socket = options.socket().display().to_string();
    let executor = match DockerExecutor::connect(options).await {
        Err(error @ PortError::Unavailable { .. }) => {
            return Err(format!("no Docker engine at {socket}: {}", error.chain()));
        }
        answer => answer.unwrap(),
    };
    let name = std::env::var(IMAGE).unwrap_or_else(|_| DEFAULT_IMAGE.to_owned());
    let engine = Docker::connect_with_unix(&socket, 30, API_DEFAULT_VERSION).unwrap();
    let engine = engine.negotiate_version().await.unwrap();
    let image = engine.inspect_image(&name).await;
    Ok((executor, image.map_err(|e| format!("no image {name} in the engine at {socket}: {e}"))?.id.unwrap()))
}
