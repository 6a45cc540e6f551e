//! The command inside `/bin/bash -lc '…'`, as it was meant.

/// What a shell is told to run by `command`; `None` when it is not of that form.
pub(super) fn inner(command: &str) -> Option<String> {
    let (shell, rest) = command.split_once(' ')?;
    if !matches!(shell.rsplit('/').next(), Some("bash" | "sh" | "zsh")) {
        return None;
    }
    let rest = rest.strip_prefix("-lc ").or_else(|| rest.strip_prefix("-c "))?;
    word(rest)
}

/// `text` without its quotes, if it is one word of a shell that nothing would be expanded in.
fn word(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => loop {
                match chars.next()? {
                    '\'' => break,
                    c => out.push(c),
                }
            },
            '"' => loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => match chars.next()? {
                        c @ ('"' | '\\' | '$' | '`') => out.push(c),
                        '\n' => {}
                        c => out.extend(['\\', c]),
                    },
                    '$' | '`' => return None,
                    c => out.push(c),
                }
            },
            '\\' => out.push(chars.next()?),
            c if c.is_whitespace() || "|&;<>()$`*?[#~%{}".contains(c) => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_quoted_word_after_a_shell_is_the_command() {
        for (whole, meant) in [
            ("/usr/bin/bash -lc 'echo hi > cm.txt; cat cm.txt'", Some("echo hi > cm.txt; cat cm.txt")),
            ("/bin/bash -lc ls", Some("ls")),
            (r#"bash -lc "echo 'a' \"b\" \$HOME""#, Some(r#"echo 'a' "b" $HOME"#)),
            (r#"/bin/sh -c 'it'"'"'s'"#, Some("it's")),
            (r"/bin/sh -c 'it'\''s'", Some("it's")),
            ("bash -lc 'a\nb'", Some("a\nb")),
            ("bash -lc ''", Some("")),
            ("bash -lc 'a' 'b'", None),
            ("bash -lc 'open", None),
            ("bash -lc \"$HOME\"", None),
            ("bash -lc a;b", None),
            ("python3 -c 'print(1)'", None),
            ("bash script.sh", None),
            ("ls", None),
        ] {
            assert_eq!(inner(whole).as_deref(), meant, "{whole}");
        }
    }
}
