// SPDX-License-Identifier: GPL-2.0

//! The first packets of a session, before any of its threads: versions, features and login.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::engine::resource::Event;
use crate::engine::state::ConnState;
use crate::engine::wire::handshake::ConnectionFeatures;
use crate::engine::wire::{
    Command,
    Header,
    PROTOCOL_BEFORE_HANDSHAKE, //
};
use crate::login::{
    log_in,
    NoLogin, //
};
use crate::refused_login::RefusedLogin;
use crate::resource::Resource;
use crate::session::{
    send_all,
    Session, //
};
use crate::words::{
    self,
    Problem,
    Refusal,
    Socket, //
};

/// Why no versions and features were exchanged.
enum NoHandshake {
    /// The socket failed.
    Network(Error),
    /// The peer's packet is not the one that has to come.
    Refused(Refusal),
}

impl From<Error> for NoHandshake {
    fn from(error: Error) -> Self {
        NoHandshake::Network(error)
    }
}

/// Tells the peer our versions and reads its.
fn exchange_features(session: &Session) -> core::result::Result<ConnectionFeatures, NoHandshake> {
    let mut packet = [0; Header::MAX_LEN + ConnectionFeatures::LEN];
    let header = Header {
        volume: 0,
        command: Command::ConnectionFeatures,
        length: ConnectionFeatures::LEN as u32,
    };
    let head = header
        .emit(&mut packet, PROTOCOL_BEFORE_HANDSHAKE)
        .map_err(|_| EINVAL)?;
    let body = packet.get_mut(head..).ok_or(EINVAL)?;
    let len = ConnectionFeatures::OWN
        .emit(Command::ConnectionFeatures, body)
        .map_err(|_| EINVAL)?;
    send_all(
        &session.data,
        packet.get(..head + len).ok_or(EINVAL)?,
        false,
    )?;
    let answer = packet.get_mut(..8).ok_or(EINVAL)?;
    session.data.receive_exact(answer)?;
    let before = PROTOCOL_BEFORE_HANDSHAKE;
    let header = Header::parse(answer, before)
        .map_err(|error| NoHandshake::Refused(Refusal::header(error, answer, before)))?;
    let command = header.command;
    let refuse = |problem| NoHandshake::Refused(Refusal::new(command, Socket::Data, problem));
    if command != Command::ConnectionFeatures {
        return Err(refuse(Problem::Unexpected));
    }
    if header.length as usize != ConnectionFeatures::LEN {
        return Err(refuse(Problem::Length {
            expected: ConnectionFeatures::LEN as u32,
            received: header.length,
        }));
    }
    let body = packet.get_mut(..ConnectionFeatures::LEN).ok_or(EINVAL)?;
    session.data.receive_exact(body)?;
    ConnectionFeatures::parse(command, body).map_err(|error| refuse(Problem::Wire(error)))
}

/// Agrees on a version, and logs in. False: there will be no session. May sleep.
pub fn shake_hands(resource: &Arc<Resource>, session: &Session) -> bool {
    match exchange_features(session) {
        Ok(features) => resource.post(Event::Features(features)),
        Err(NoHandshake::Network(error)) => {
            let why = words::of_error(error);
            resource.complain(format_args!("no handshake with the peer: {}", why));
            return false;
        }
        Err(NoHandshake::Refused(refusal)) => {
            resource.complain(format_args!("no handshake with the peer: {}", refusal));
            return false;
        }
    }
    let agreed = resource.agreed();
    session.set_agreed(agreed);
    if resource.conn() != ConnState::WfConnection || !authenticate(resource, session) {
        return false;
    }
    session
        .data
        .set_send_timeout(Some(session.tuning().timeout));
    session.data.set_receive_timeout(None);
    resource.conn() == ConnState::WfConnection
}

/// Logs in, if that is configured. False: the peer is not let in.
fn authenticate(resource: &Arc<Resource>, session: &Session) -> bool {
    match log_in(session) {
        Ok(Some(bytes)) => resource.post(Event::Login(Ok(bytes))),
        Ok(None) => {}
        Err(NoLogin::Failed(error)) => {
            let why = words::of_error(error);
            resource.complain(format_args!(
                "Authentication of peer failed, trying again: {}",
                why
            ));
            return false;
        }
        Err(NoLogin::Packet(refusal)) => {
            resource.complain(format_args!(
                "Authentication of peer failed, trying again: {}",
                refusal
            ));
            return false;
        }
        Err(NoLogin::Refused(error)) => {
            let why = RefusedLogin(error);
            if error.is_final() {
                resource.complain_last(format_args!("{}", why));
            } else {
                resource.complain(format_args!("{}", why));
            }
            resource.post(Event::Login(Err(error)));
            return false;
        }
    }
    true
}
