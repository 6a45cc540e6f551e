//! What every file and function is held to.

use crate::none;
use crate::source::{Source, functions, production};

/// Lines of a file without its tests.
fn length(source: &Source) -> usize {
    source.code.lines().filter(|l| !l.trim().is_empty()).count()
        + source.text.lines().filter(|l| l.trim_start().starts_with("//")).count()
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = production().into_iter().filter(|s| !s.text.trim_start().starts_with("//!"));
    none("begin each file with a `//!` line", silent.map(|s| s.path).collect());
}

#[test]
fn no_file_is_too_long_to_read() {
    let long = production().into_iter().filter(|s| length(s) > 500 && !s.text.starts_with("// long: "));
    none("split the file, or begin it with `// long: <why>`", long.map(|s| s.path).collect());
}

#[test]
fn no_function_is_too_long_to_read() {
    let mut long = Vec::new();
    let mut lengths = Vec::new();
    for source in production() {
        for (name, line, length) in functions(&source.code) {
            lengths.push(length);
            if length > 100 {
                long.push(format!("{}:{line} {name} has {length} lines", source.path));
            }
        }
    }
    lengths.sort_unstable();
    println!(
        "{} functions, median {}, p90 {}",
        lengths.len(),
        lengths[lengths.len() / 2],
        lengths[lengths.len() * 9 / 10]
    );
    none("a function has at most 100 lines", long);
}

#[test]
fn nothing_is_unwrapped() {
    let mut found = Vec::new();
    for source in production() {
        for (number, line) in source.code.lines().enumerate() {
            if line.contains(".unwrap()") {
                found.push(format!("{}:{}", source.path, number + 1));
            }
        }
    }
    none("say why it cannot fail: expect(\"invariant: …\")", found);
}

#[test]
fn an_expectation_says_which_invariant_holds() {
    let mut found = Vec::new();
    for source in production() {
        for (number, (line, code)) in source.text.lines().zip(source.code.lines()).enumerate() {
            if code.contains(".expect(") && !line.contains("invariant: ") && line.contains(".expect(\"") {
                found.push(format!("{}:{}", source.path, number + 1));
            }
        }
    }
    none("write expect(\"invariant: …\")", found);
}

#[test]
fn no_type_has_a_name_that_says_nothing() {
    const EMPTY: [&str; 8] = ["Manager", "Helper", "Util", "Engine", "Worker", "Job", "Info", "Data"];
    let mut found = Vec::new();
    for source in production() {
        for line in source.code.lines() {
            for word in ["struct ", "enum ", "trait "] {
                let Some(rest) = line
                    .trim_start()
                    .trim_start_matches("pub ")
                    .trim_start_matches("pub(crate) ")
                    .strip_prefix(word)
                else {
                    continue;
                };
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
                if EMPTY.iter().any(|e| name.ends_with(e))
                    || name == "Service"
                    || name == "Context"
                    || name == "Common"
                {
                    found.push(format!("{}: {name}", source.path));
                }
            }
        }
    }
    none("name it after what it is", found);
}

#[test]
fn core_decides_and_does_nothing_else() {
    const NEVER: [&str; 9] = [
        "async fn",
        "async move",
        ".await",
        "tokio::",
        "std::fs",
        "std::net",
        "std::env",
        "Instant::now",
        "SystemTime::now",
    ];
    let mut found = Vec::new();
    for source in production().into_iter().filter(|s| s.path.starts_with("node/core/")) {
        for (number, line) in source.code.lines().enumerate() {
            if let Some(what) = NEVER.iter().find(|n| line.contains(*n)) {
                found.push(format!("{}:{} {what}", source.path, number + 1));
            }
        }
    }
    none("core has no I/O, no clock and nothing to wait for", found);
}

#[test]
fn channels_are_bounded() {
    let mut found = Vec::new();
    for source in production() {
        for (number, line) in source.code.lines().enumerate() {
            if line.contains("unbounded_channel") || line.contains("mpsc::unbounded") {
                found.push(format!("{}:{}", source.path, number + 1));
            }
        }
    }
    none("bound it and name the bound", found);
}
