// SPDX-License-Identifier: GPL-2.0

//! Recordings of simulated runs: as they are, and with something wrong in them.

use replay::{replay, Failure, Summary};
use sim::{plan::Plan, random};
use tandem_engine::engine::trace::{Frame, Part, Recording, Tape, NEW_VOLUME};

/// Events without which a run has not much to tell.
const KINDS: &[&str] = &[
    "set_disk",
    "set_capacity",
    "set_policy",
    "write",
    "local_done",
    "send_begin",
    "send_done",
    "peer_write",
    "peer_io_done",
    "peer_answered",
    "barrier_acked",
    "log_prepare",
    "log_committed",
    "connection_lost",
    "start_resync",
    "place_write",
    "peer_barrier",
    "reset",
];

/// The first seed's recording that has events of all kinds.
fn rich() -> Vec<u8> {
    let has = |bytes: &[u8], name| {
        let mut frames = Recording::parse(bytes).unwrap();
        frames.any(|frame| is(frame.unwrap(), name))
    };
    (0..100)
        .map(recorded)
        .find(|bytes| KINDS.iter().all(|name| has(bytes, name)))
        .expect("no seed has it all")
}

fn recorded(seed: u64) -> Vec<u8> {
    random::record(&Plan::of(seed)).1
}

fn check(bytes: &[u8]) -> Result<Summary, Failure> {
    replay(bytes, |_| ())
}

/// What is wrong with the recording once `change` had its hands on the frames: it returns a
/// frame's new body, or `None` to leave the frame out. Nothing is an empty text.
fn fault(bytes: &[u8], mut change: impl FnMut(Frame<'_>) -> Option<Vec<u8>>) -> String {
    let mut tape = Tape::new(vec![0; bytes.len() + 1024]);
    for frame in Recording::parse(bytes).unwrap() {
        let frame = frame.unwrap();
        if let Some(body) = change(frame) {
            tape.append(frame.value, frame.part, &|w| w.bytes(&body));
        }
    }
    let failure = check(tape.recorded()).err();
    failure.map_or(String::new(), |failure| failure.to_string())
}

/// Whether a frame is an event of that name.
fn is(frame: Frame<'_>, name: &str) -> bool {
    frame.part == Part::Event && frame.event().is_some_and(|(it, _)| it == name)
}

/// Leaves the first `count` events of that name out, and what came of them.
fn without(bytes: &[u8], name: &str, count: usize) -> String {
    let mut seen = 0;
    let mut gone = None;
    fault(bytes, |frame| {
        if frame.part == Part::Event {
            let this = is(frame, name) && seen < count;
            seen += usize::from(is(frame, name));
            if this {
                gone = Some(frame.value);
                return None;
            }
            gone = gone.filter(|value| *value != frame.value);
        }
        (gone != Some(frame.value)).then(|| frame.body.to_vec())
    })
}

#[test]
fn what_was_recorded_comes_again() {
    for seed in 0..40 {
        let bytes = recorded(seed);
        match check(&bytes) {
            Ok(summary) => assert!(summary.outcomes > 100, "seed {seed}: {summary}"),
            Err(failure) => panic!("seed {seed}: {failure}"),
        }
    }
}

#[test]
fn an_event_less_is_noticed() {
    let bytes = rich();
    for name in [
        "set_disk",
        "write",
        "local_done",
        "peer_write",
        "place_write",
    ] {
        let fault = without(&bytes, name, 1);
        assert!(fault.contains("userspace"), "{name}: {fault}");
    }
}

#[test]
fn a_kind_of_events_less_is_noticed() {
    // Not in each run: a lost connection without requests on it changes nothing, for one.
    let runs: Vec<_> = (0..20).map(recorded).collect();
    for name in KINDS {
        let noticed = |bytes: &Vec<u8>| !without(bytes, name, usize::MAX).is_empty();
        assert!(runs.iter().any(noticed), "{name}");
    }
}

#[test]
fn another_argument_is_noticed() {
    let mut changed = false;
    let fault = fault(&rich(), |frame| {
        let mut body = frame.body.to_vec();
        if !changed && is(frame, "local_done") {
            changed = true;
            // Its last argument: whether the disk did it.
            *body.last_mut().unwrap() ^= 1;
        }
        Some(body)
    });
    assert!(fault.contains("something else came of it"), "{fault}");
    assert!(fault.contains("local_done"), "{fault}");
}

#[test]
fn another_effect_is_noticed() {
    let fault = fault(&rich(), |frame| {
        let text = String::from_utf8_lossy(frame.body);
        Some(match frame.part {
            Part::Outcome => text.replace("Complete", "Forget").into_bytes(),
            Part::Event => frame.body.to_vec(),
        })
    });
    assert!(fault.contains("Forget"), "{fault}");
}

#[test]
fn an_effect_less_is_noticed() {
    let mut gone = false;
    let fault = fault(&rich(), |frame| {
        let text = String::from_utf8_lossy(frame.body);
        let this = frame.part == Part::Outcome && text.starts_with("SetPolicy") && !gone;
        gone |= this;
        (!this).then(|| frame.body.to_vec())
    });
    assert!(fault.contains("userspace: SetPolicy"), "{fault}");
}

#[test]
fn a_value_from_before_the_recording_is_refused() {
    let fault = fault(&rich(), |frame| {
        (!is(frame, NEW_VOLUME)).then(|| frame.body.to_vec())
    });
    assert!(fault.contains("before the recording began"), "{fault}");
}

#[test]
fn an_unknown_event_is_refused() {
    let fault = fault(&rich(), |frame| {
        Some(if is(frame, "write") {
            b"\x05wrote".to_vec()
        } else {
            frame.body.to_vec()
        })
    });
    assert!(fault.contains("no such event"), "{fault}");
}

#[test]
fn a_tape_that_was_too_short_is_refused() {
    let bytes = rich();
    let mut tape = Tape::new(vec![0; bytes.len() / 2]);
    for frame in Recording::parse(&bytes).unwrap() {
        let frame = frame.unwrap();
        tape.append(frame.value, frame.part, &|w| w.bytes(frame.body));
    }
    let failure = check(tape.recorded()).unwrap_err().to_string();
    assert!(failure.contains("frames are missing"), "{failure}");
}

#[test]
fn a_torn_recording_is_refused() {
    let bytes = rich();
    let failure = check(&bytes[..bytes.len() - 1]).unwrap_err().to_string();
    assert!(failure.contains("ends within a frame"), "{failure}");
}
