// SPDX-License-Identifier: GPL-2.0

//! Tests of the login's steps, with a toy hash: what counts is who accepts what.

use super::{
    Challenged,
    Login,
    LoginError, //
};
use crate::engine::wire::handshake::{
    CHALLENGE_LEN,
    CHALLENGE_MAX_LEN, //
};
use crate::engine::wire::{
    Command,
    Header, //
};

const DIGEST: u32 = 4;

fn header(command: Command, length: u32) -> Header {
    Header {
        volume: 0,
        command,
        length,
    }
}

/// Stands for an HMAC: depends on every byte of secret and message.
fn hash(secret: &[u8], message: &[u8]) -> [u8; DIGEST as usize] {
    let all = secret.iter().chain(message);
    let sum = all.fold(17u32, |sum, &byte| {
        sum.wrapping_mul(0x0100_0193) ^ u32::from(byte)
    });
    sum.to_be_bytes()
}

fn login(fill: u8) -> Login {
    Login::new([fill; CHALLENGE_LEN], DIGEST)
}

fn challenged() -> Challenged {
    login(1).challenged(&[2; CHALLENGE_LEN]).unwrap()
}

/// Lets two nodes log in with their secrets; what each thinks of the other.
fn meet(secrets: [&[u8]; 2]) -> [Result<(), LoginError>; 2] {
    let nodes = [login(1), login(2)];
    let challenges = [[1; CHALLENGE_LEN], [2; CHALLENGE_LEN]];
    let answers = [
        hash(secrets[0], &challenges[1]),
        hash(secrets[1], &challenges[0]),
    ];
    let mut verdicts = nodes.into_iter().enumerate().map(|(own, node)| {
        let peer = 1 - own;
        let length = header(Command::AuthChallenge, CHALLENGE_LEN as u32);
        assert_eq!(node.challenge_len(length), Ok(CHALLENGE_LEN));
        let node = node.challenged(&challenges[peer])?;
        assert_eq!(
            node.response_len(header(Command::AuthResponse, DIGEST)),
            Ok(4)
        );
        node.answered(&hash(secrets[own], &challenges[own]), &answers[peer])
    });
    [verdicts.next().unwrap(), verdicts.next().unwrap()]
}

#[test]
fn nodes_with_the_same_secret_let_each_other_in() {
    assert_eq!(meet([b"secret", b"secret"]), [Ok(()), Ok(())]);
}

#[test]
fn a_wrong_secret_is_seen_by_both() {
    let wrong = Err(LoginError::WrongResponse);
    assert_eq!(meet([b"secret", b"other"]), [wrong, wrong]);
    assert!(LoginError::WrongResponse.is_final());
}

#[test]
fn a_reflected_challenge_is_not_answered() {
    let own = [1; CHALLENGE_LEN];
    let reflected = login(1).challenged(&own);
    assert_eq!(reflected.err(), Some(LoginError::Reflected));
    let mut longer = [9; CHALLENGE_MAX_LEN];
    longer[..CHALLENGE_LEN].copy_from_slice(&own);
    let extended = login(1).challenged(&longer);
    assert_eq!(extended.err(), Some(LoginError::Reflected));
    assert!(LoginError::Reflected.is_final());
}

#[test]
fn a_replayed_answer_is_wrong_for_another_challenge() {
    let recorded = hash(b"secret", &[1; CHALLENGE_LEN]);
    let again = login(3).challenged(&[2; CHALLENGE_LEN]).unwrap();
    let verdict = again.answered(&hash(b"secret", &[3; CHALLENGE_LEN]), &recorded);
    assert_eq!(verdict, Err(LoginError::WrongResponse));
}

#[test]
fn a_peer_without_login_is_refused_for_good() {
    let error = login(1).challenge_len(header(Command::Protocol, 25));
    assert_eq!(error, Err(LoginError::NoChallenge(Command::Protocol)));
    assert!(LoginError::NoChallenge(Command::Protocol).is_final());
}

#[test]
fn challenges_have_64_to_128_bytes() {
    for (length, good) in [
        (0, false),
        (63, false),
        (64, true),
        (128, true),
        (129, false),
    ] {
        let read = login(1).challenge_len(header(Command::AuthChallenge, length));
        assert_eq!(read.is_ok(), good, "{length}");
    }
    assert!(LoginError::ChallengeLength(63).is_final());
}

#[test]
fn an_answer_of_another_length_is_tried_again() {
    let read = challenged().response_len(header(Command::AuthResponse, DIGEST + 1));
    let error = LoginError::ResponseLength {
        expected: DIGEST,
        received: DIGEST + 1,
    };
    assert_eq!(read, Err(error));
    assert!(!error.is_final());
    let other = challenged().response_len(header(Command::AuthChallenge, 64));
    assert_eq!(other, Err(LoginError::NoResponse(Command::AuthChallenge)));
    assert!(!LoginError::NoResponse(Command::AuthChallenge).is_final());
}

#[test]
fn a_part_of_the_answer_is_not_enough() {
    let right = [1, 2, 3, 4];
    let wrong = Err(LoginError::WrongResponse);
    assert_eq!(challenged().answered(&right, &[1, 2, 3]), wrong);
    assert_eq!(challenged().answered(&right, &[]), wrong);
    assert_eq!(challenged().answered(&[], &[]), wrong);
    for at in 0..4 {
        let mut flipped = right;
        flipped[at] ^= 0x80;
        assert_eq!(challenged().answered(&right, &flipped), wrong);
    }
    assert_eq!(challenged().answered(&right, &right), Ok(()));
}
