// SPDX-License-Identifier: GPL-2.0

//! Running commands in a guest, through qemu-guest-agent.

use std::{
    fs::File,
    io::{BufReader, ErrorKind},
    os::unix::net::UnixStream,
    path::Path,
    process, thread,
    time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use qapi::{qga, Qga, Stream};

use crate::process::lock;

/// How long the agent may take for one request; none of them waits for anything.
const ANSWER: Duration = Duration::from_secs(60);

/// Bytes of a file that are asked for at once.
const PART: i64 = 1 << 20;

/// The agent is asked for a command's end after this time first, then ever less often.
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// ... but at least this often.
const LAST_LOOK: Duration = Duration::from_millis(60);

/// What a command left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 128 plus the signal's number for a command that was killed.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Whether the status is 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }
}

/// A connection to a guest's agent. It serves one connection at a time, so a lock beside the
/// socket is held as long as this lives.
pub(crate) struct Agent {
    qga: Qga<Stream<BufReader<UnixStream>, UnixStream>>,
    _lock: File,
}

impl Agent {
    /// Connects and waits until the guest answers, at most until `deadline`. `scale` is how much
    /// longer than usual its later answers may take.
    pub(crate) fn connect(path: &Path, deadline: Instant, scale: f64) -> Result<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let guard = File::create(beside)?;
        lock(&guard)?;
        let socket = UnixStream::connect(path)
            .with_context(|| format!("no machine listens at {}", path.display()))?;
        let left = deadline.saturating_duration_since(Instant::now());
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let reader = BufReader::new(socket.try_clone()?);
        let mut qga = Qga::new(Stream::new(reader, socket));
        // An answer that an earlier, interrupted user left comes before ours.
        let mark = process::id() as i32;
        let mut answered = false;
        for _ in 0..4 {
            match qga.guest_sync(mark) {
                Ok(()) => {
                    answered = true;
                    break;
                }
                Err(qapi::ExecuteError::Io(error)) if error.kind() != ErrorKind::InvalidData => {
                    return Err(error).context("the guest's agent does not answer");
                }
                Err(_) => {}
            }
        }
        if !answered {
            bail!("the guest's agent answers something else than it was asked");
        }
        qga.inner()
            .get_ref_write()
            .set_read_timeout(Some(ANSWER.mul_f64(scale)))?;
        Ok(Self { qga, _lock: guard })
    }

    /// Starts a shell command; `input` is its standard input.
    pub(crate) fn start(&mut self, command: &str, input: Option<&[u8]>) -> Result<i64> {
        let started = self.qga.execute(&qga::guest_exec {
            path: "/bin/sh".into(),
            arg: Some(vec!["-c".into(), command.into()]),
            env: None,
            input_data: input.map(<[u8]>::to_vec),
            capture_output: Some(qga::GuestExecCaptureOutput::flag(true)),
        })?;
        Ok(started.pid)
    }

    /// A file's content.
    pub(crate) fn read_file(&mut self, path: &str) -> Result<Vec<u8>> {
        let handle = self.qga.execute(&qga::guest_file_open {
            mode: Some("r".into()),
            path: path.into(),
        })?;
        let mut content = Vec::new();
        loop {
            let part = self.qga.execute(&qga::guest_file_read {
                count: Some(PART),
                handle,
            })?;
            content.extend(part.buf_b64);
            if part.eof {
                break;
            }
        }
        self.qga.execute(&qga::guest_file_close { handle })?;
        Ok(content)
    }

    /// The command's output if it has ended.
    pub(crate) fn look(&mut self, pid: i64) -> Result<Option<Output>> {
        let state = self.qga.execute(&qga::guest_exec_status { pid })?;
        if !state.exited {
            return Ok(None);
        }
        let status = match (state.exitcode, state.signal) {
            (Some(code), _) => code as i32,
            (None, Some(signal)) => 128 + signal as i32,
            (None, None) => bail!("the agent knows no status of the command"),
        };
        Ok(Some(Output {
            status,
            stdout: text(state.out_data),
            stderr: text(state.err_data),
        }))
    }
}

fn text(data: Option<impl Into<Vec<u8>>>) -> String {
    data.map(|bytes| String::from_utf8_lossy(&bytes.into()).into_owned())
        .unwrap_or_default()
}

/// When to ask next whether a command has ended.
pub(crate) struct Looks {
    next: Duration,
}

impl Looks {
    pub(crate) fn new() -> Self {
        Self { next: FIRST_LOOK }
    }

    /// Waits until the next look.
    pub(crate) fn pause(&mut self) {
        thread::sleep(self.next);
        self.next = (self.next * 3 / 2).min(LAST_LOOK);
    }
}
