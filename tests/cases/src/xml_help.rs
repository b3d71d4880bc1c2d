// SPDX-License-Identifier: GPL-2.0

//! What `xml-help` says of every command: with our tool and with Debian's.

use anyhow::Result;
use vm::side::Side;

use crate::alike::{self, Known};

/// Describes every command that Debian's tool has, with the tool `$tool`.
const DESCRIBE: &str = "/lib/drbd/drbdsetup-84 help 2>&1 |
    sed -n '/^Commands are:/,/^$/p' | grep -oE '\\<[a-z][a-z0-9-]+$|\\<[a-z][a-z0-9-]+ ' |
    while read -r command; do
        echo \"$ xml-help $command\"
        $tool xml-help $command
        echo \"exit $?\"
    done";

/// What begins a line of the comparison: the elements of the first level. An option with all that
/// is said of it is one line, so that a difference names its option.
const ELEMENTS: [&str; 4] = ["<argument", "<group", "<option", "</command"];

/// What differs on purpose.
const DIFFERENT: &[Known] = &[
    Known {
        command: "connect",
        ours: "",
        theirs: "<option name=\"alternate-address\" type=\"address\">",
        why: PROXY,
    },
    Known {
        command: "connect",
        ours: "",
        theirs: "<option name=\"alternate-peer-address\" type=\"address\">",
        why: PROXY,
    },
    Known {
        command: "down",
        ours: "<option name=\"force\" type=\"boolean\">",
        theirs: "",
        why: "ours has it",
    },
    Known {
        command: "status",
        ours: "<option name=\"json\" type=\"flag\">",
        theirs: "",
        why: "ours has it",
    },
    Known {
        command: "status",
        ours: "<option name=\"watch\" type=\"string\">",
        theirs: "",
        why: "ours has it",
    },
    Known {
        command: "status",
        ours: "<argument>minor</argument>",
        theirs: "<argument>resource</argument>\\n\t\t<argument>all</argument>",
        why: "a minor's resource may be named by it",
    },
    Known {
        command: "events2",
        ours: "<option name=\"json\" type=\"flag\">",
        theirs: "",
        why: "ours has it",
    },
    Known {
        command: "events2",
        ours: "<argument>minor</argument>",
        theirs: "<argument>resource</argument>\\n\t\t<argument>all</argument>",
        why: "a minor's resource may be named by it",
    },
    Known {
        command: "wait-",
        ours: "<option name=\"wait-after-sb\" type=\"boolean\">",
        theirs: "<option name=\"wait-after-sb\" type=\"string\">",
        why: "yes or no is what it takes",
    },
];

/// Why a connection has no further addresses.
const PROXY: &str = "the kernel has no such attribute";

/// Compares what both tools say.
pub(crate) fn compare(side: &Side<'_>) -> Result<()> {
    let describe = |tool: &str| {
        let text = side.ok(&format!("tool={tool}; {DESCRIBE}"))?;
        // All tabs and line ends stay in the text, the inner ones of an element in words.
        let mut text = text.replace('\n', "\\n").replace("\\n$ ", "\n$ ");
        for element in ELEMENTS {
            let begin = format!("\\n\t{element}");
            text = text.replace(&begin, &format!("\n\t{element}"));
        }
        anyhow::Ok(
            text.replace("\\n<command", "\n<command")
                .replace("\\n</command", "\n</command"),
        )
    };
    let ours = describe("'tandem setup'")?;
    let theirs = describe("/lib/drbd/drbdsetup-84")?;
    alike::compare("xml-help", &[ours, theirs], DIFFERENT)
}
