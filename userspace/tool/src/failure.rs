// SPDX-License-Identifier: GPL-2.0

//! Failures of the tool: who is to blame, which exit code, and what to do.

use crate::exit::Exit;
use std::fmt::Write as _;
use tandem_config::Problem;
use tandem_engine::control::RetCode;
use tandem_netlink::{
    Error as NetlinkError,
    Refusal, //
};

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong; clap knows how to say it.
    Usage(clap::Error),
    /// The command line of `tandem adm` is wrong.
    AdmUsage(clap::Error),
    /// The command line of `tandem adm` is right, but what it asks for is not.
    Call {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The configuration is wrong.
    Config(Vec<Problem>),
    /// What was given does not fit: a configuration this node, a text what it is for.
    Unfit {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The command line is right, but what it asks for is not.
    Invalid {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The kernel refused.
    Refused {
        /// What the request was about: a minor or a resource.
        object: String,
        /// What the kernel said.
        refusal: Refusal,
    },
    /// Metadata is not there, not usable, or shall not be changed.
    Metadata {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The device holds something that would be damaged; no answer makes that right.
    Occupied {
        /// What is there, and how large it is.
        what: String,
        /// What to do.
        hint: String,
    },
    /// There is no such resource; said by the tool, with the kernel's exit code.
    NoSuchResource(String),
    /// Anything else.
    Other(anyhow::Error),
}

/// Result of a command.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    /// Something that was asked for and makes no sense.
    pub(crate) fn invalid(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure::Invalid {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// Something that was asked of `tandem adm` and makes no sense.
    pub(crate) fn call(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure::Call {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// A failure of netlink, with what the request was about.
    pub(crate) fn netlink(object: &str, error: NetlinkError) -> Self {
        match error {
            NetlinkError::Refused(refusal) => Failure::Refused {
                object: object.to_owned(),
                refusal,
            },
            NetlinkError::NoFamily => Failure::invalid(
                "the kernel module is not loaded",
                "load it with 'modprobe tandem' (or 'modprobe drbd'), as root",
            ),
            NetlinkError::WrongFamily { .. } => Failure::invalid(
                error.to_string(),
                "another version of DRBD is loaded; unload it, and load tandem or DRBD 8.4",
            ),
            NetlinkError::Rejected(cause)
                if cause.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Failure::invalid(
                    format!("{object}: not allowed ({cause})"),
                    "run it as root (it needs CAP_NET_ADMIN)",
                )
            }
            other => Failure::Other(anyhow::Error::new(other).context(object.to_owned())),
        }
    }

    /// The reply code, if the kernel refused.
    pub(crate) fn code(&self) -> Option<RetCode> {
        match self {
            Failure::Refused { refusal, .. } => Some(refusal.code),
            _ => None,
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::Usage(error) | Failure::AdmUsage(error) if !error.use_stderr() => {
                Exit::Success
            }
            Failure::AdmUsage(_) | Failure::Call { .. } => Exit::AdmUsage,
            Failure::Config(_) | Failure::Unfit { .. } => Exit::Refused,
            Failure::Refused { refusal, .. } => Exit::of(refusal.code),
            Failure::NoSuchResource(_) => Exit::Refused,
            Failure::Metadata { .. } => Exit::Metadata,
            Failure::Occupied { .. } => Exit::Occupied,
            Failure::Usage(_) | Failure::Invalid { .. } | Failure::Other(_) => Exit::Other,
        }
    }

    /// Prints it.
    pub(crate) fn report(&self) {
        match self {
            Failure::Usage(error) | Failure::AdmUsage(error) => {
                // A closed terminal is no reason to fail in another way.
                let _ = error.print();
            }
            other => eprint!("{}", other.text()),
        }
    }

    /// What the user reads.
    pub(crate) fn text(&self) -> String {
        match self {
            Failure::Usage(error) | Failure::AdmUsage(error) => error.to_string(),
            Failure::Config(problems) => {
                let problems = problems.iter().map(|problem| format!("{problem}\n"));
                problems.collect::<String>() + &advice("correct the configuration file")
            }
            Failure::Invalid { what, hint }
            | Failure::Call { what, hint }
            | Failure::Unfit { what, hint }
            | Failure::Metadata { what, hint }
            | Failure::Occupied { what, hint } => {
                format!("tandem: {what}\n{}", advice(hint))
            }
            Failure::Refused { object, refusal } => refused(object, refusal),
            Failure::NoSuchResource(name) => format!(
                "{name}: No such resource\n{}",
                advice("'tandem setup status' lists what is there")
            ),
            Failure::Other(error) => format!("tandem: {error:#}\n"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Other(error)
    }
}

fn advice(hint: &str) -> String {
    if hint.is_empty() {
        return String::new();
    }
    format!("  what to do: {hint}\n")
}

/// The first line has the form that scripts know from `drbdsetup`.
fn refused(object: &str, refusal: &Refusal) -> String {
    let code = refusal.code;
    let what = if code.is_state_change() {
        "State change failed"
    } else {
        "Failure"
    };
    let mut text = format!("{object}: {what}: ({}) {}\n", code.0, code.text());
    for info in &refusal.info {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  the kernel says: {info}");
    }
    text + &advice(code.hint())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32, info: &[&str]) -> Failure {
        Failure::netlink(
            "0",
            NetlinkError::Refused(Refusal {
                code: RetCode(code),
                info: info.iter().map(|text| (*text).to_owned()).collect(),
            }),
        )
    }

    #[test]
    fn a_refusal_has_number_text_kernel_words_and_advice() {
        let failure = failure(162, &["resource exists"]);
        assert_eq!(failure.exit(), Exit::Refused);
        assert_eq!(
            failure.text(),
            "0: Failure: (162) the request makes no sense\n  the kernel says: resource exists\n  \
             what to do: see the kernel's words above, or its log\n"
        );
    }

    #[test]
    fn a_state_change_that_failed_is_called_so() {
        let failure = failure(-2, &[]);
        assert_eq!(failure.exit(), Exit::NoUpToDateDisk);
        let text = failure.text();
        assert!(text.starts_with("0: State change failed: (-2) "), "{text}");
        assert!(text.contains("what to do: connect to the peer"), "{text}");
    }

    #[test]
    fn an_unknown_code_keeps_its_number() {
        let text = failure(199, &[]).text();
        assert!(text.starts_with("0: Failure: (199) "), "{text}");
        assert!(text.contains("newer than this tool"), "{text}");
    }

    #[test]
    fn no_module_tells_how_to_load_one() {
        let failure = Failure::netlink("0", NetlinkError::NoFamily);
        assert_eq!(failure.exit(), Exit::Other);
        assert!(failure.text().contains("modprobe tandem"));
    }
}
