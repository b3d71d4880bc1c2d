// SPDX-License-Identifier: GPL-2.0

//! Carries the login out: sends, receives, hashes. What is accepted the engine decides.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::str::CString;

use crate::engine::login::{
    Login,
    LoginError, //
};
use crate::engine::options::NetOptions;
use crate::engine::wire::handshake::{
    CHALLENGE_LEN,
    CHALLENGE_MAX_LEN, //
};
use crate::engine::wire::{
    Command,
    Header, //
};
use crate::session::{
    send_all,
    Session, //
};
use crate::sys::clock;
use crate::sys::digest::{
    Digest,
    DIGEST_MAX, //
};
use crate::words::Refusal;

/// Why nobody is logged in.
pub enum NoLogin {
    /// The socket failed, or the hash could not be calculated.
    Failed(Error),
    /// The peer's packet cannot be read.
    Packet(Refusal),
    /// The peer is not let in.
    Refused(LoginError),
}

impl From<Error> for NoLogin {
    fn from(error: Error) -> Self {
        NoLogin::Failed(error)
    }
}

impl From<LoginError> for NoLogin {
    fn from(error: LoginError) -> Self {
        NoLogin::Refused(error)
    }
}

/// The keyed digest of the login; `None` if none is configured. May sleep, may load a module.
///
/// Errors: those of [`Digest::new`] and [`Digest::set_key`].
pub fn digest(net: &NetOptions) -> Result<Option<Digest>> {
    let name = net.cram_hmac_alg.as_str().ok_or(EINVAL)?;
    if name.is_empty() {
        return Ok(None);
    }
    let mut digest = Digest::new(&CString::try_from_fmt(fmt!("hmac({})", name))?)?;
    digest.set_key(net.shared_secret.as_bytes())?;
    Ok(Some(digest))
}

/// Logs in at the peer and lets it log in here, if that is configured; returns the length of its
/// answer in bytes. The receiver calls it before anybody else uses the data socket. May sleep.
pub fn log_in(session: &Session) -> Result<Option<u32>, NoLogin> {
    let Some(mut hmac) = digest(&session.net)? else {
        return Ok(None);
    };
    let len = u32::try_from(hmac.size()).map_err(Error::from)?;
    let mut own = [0; CHALLENGE_LEN];
    clock::random_bytes(&mut own);
    let login = Login::new(own, len);
    send(session, Command::AuthChallenge, &own)?;

    let mut theirs = [0; CHALLENGE_MAX_LEN];
    let follow = login.challenge_len(receive_header(session)?)?;
    let theirs = receive(session, &mut theirs, follow)?;
    let challenged = login.challenged(theirs)?;
    let mut ours = [0; DIGEST_MAX];
    send(
        session,
        Command::AuthResponse,
        hmac.of_bytes(theirs, &mut ours)?,
    )?;

    let mut answer = [0; DIGEST_MAX];
    let follow = challenged.response_len(receive_header(session)?)?;
    let answer = receive(session, &mut answer, follow)?;
    let mut right = [0; DIGEST_MAX];
    challenged.answered(hmac.of_bytes(&own, &mut right)?, answer)?;
    Ok(Some(len))
}

fn send(session: &Session, command: Command, payload: &[u8]) -> Result {
    let mut packet = [0; Header::MAX_LEN + CHALLENGE_MAX_LEN];
    let header = Header {
        volume: 0,
        command,
        length: u32::try_from(payload.len())?,
    };
    let head = header
        .emit(&mut packet, session.version())
        .map_err(|_| EINVAL)?;
    let len = head + payload.len();
    packet
        .get_mut(head..len)
        .ok_or(EINVAL)?
        .copy_from_slice(payload);
    send_all(&session.data, packet.get(..len).ok_or(EINVAL)?, false)
}

fn receive_header(session: &Session) -> Result<Header, NoLogin> {
    let version = session.version();
    let mut bytes = [0; Header::MAX_LEN];
    let bytes = receive(session, &mut bytes, Header::encoded_len(version))?;
    Header::parse(bytes, version)
        .map_err(|error| NoLogin::Packet(Refusal::header(error, bytes, version)))
}

/// Receives `len` bytes to the front of `to`, and returns them.
fn receive<'a>(session: &Session, to: &'a mut [u8], len: usize) -> Result<&'a [u8]> {
    let to = to.get_mut(..len).ok_or(EMSGSIZE)?;
    session.data.receive_exact(to)?;
    Ok(to)
}
