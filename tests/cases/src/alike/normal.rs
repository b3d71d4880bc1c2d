// SPDX-License-Identifier: GPL-2.0

//! Takes out of a transcript what is another each time.

/// Names for random numbers, in the order in which they come: what is the same number has the same
/// name, so that it still shows which generation is which.
#[derive(Default)]
struct Names(Vec<u64>);

/// The lowest bit of a generation says that it is a Primary's.
const PRIMARY: u64 = 1;

/// Smaller ones are no random numbers.
const SMALLEST: u64 = 1 << 16;

/// Counters and flags about the activity log and the bitmap, which differ on purpose. The C module
/// writes its whole log at each attach and resize, keeps no log while all is out of sync anyway (a
/// flag says so), and does not count what it writes of the bitmap; ours does none of this.
fn without_log(line: &str) -> String {
    let mut out = line.replace("al-suspended:yes", "al-suspended:no");
    for key in [" al:", " bm:", "al-writes:", "bm-writes:"] {
        if let Some(at) = out.find(key).map(|at| at + key.len()) {
            let end = out[at..].find(' ').map_or(out.len(), |len| at + len);
            out.replace_range(at..end, "N");
        }
    }
    if out.contains(" cs:") && out.contains(" ds:") && out.ends_with('s') {
        out.pop();
        out.push('-');
    }
    out
}

/// Kinds of lines of `events` that depend on the time: the state as it is when the line is written,
/// which may be later than the event, and how far a resync has come.
const TIMED: &[&str] = &["ST", "SP"];

/// A line of `events` without its number, which counts what other lines may be left out of; nothing
/// for a line that depends on the time.
fn unnumbered(line: &str) -> Option<&str> {
    let Some((number, rest)) = line.trim_start().split_once(' ') else {
        return Some(line);
    };
    if number.parse::<u32>().is_err() {
        return Some(line);
    }
    let kind = rest.split(' ').next().unwrap_or("");
    let of_events = ["R", "ST-prev", "ST-new", "UH", "UH-post"].contains(&kind);
    match (of_events, TIMED.contains(&kind)) {
        (_, true) => None,
        (true, _) => Some(rest),
        _ => Some(line),
    }
}

/// The events of a node with a peer, without what may be otherwise:
///
/// - handlers: ours run while other things go on, the C module's receiver and worker wait for them,
///   so that what is told next comes earlier or later. Which ones are called, and in which order,
///   the handlers themselves note. The older form counts them as other events (`R`);
/// - a change without any key: the C module tells the end of a connection, what it suspends, and
///   what ends that twice.
pub(super) fn with_peer(text: &str) -> String {
    let may_differ = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["call" | "response", "helper", ..] => true,
            ["change", _, keys @ ..] => keys.iter().all(|key| names_object(key)),
            [number, "UH" | "UH-post" | "R", ..] => number.parse::<u32>().is_ok(),
            _ => false,
        }
    };
    let lines = text.lines().filter(|line| !may_differ(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a key says what an event is about.
fn names_object(key: &str) -> bool {
    let names = ["name:", "peer-node-id:", "conn-name:", "volume:", "minor:"];
    names.iter().any(|name| key.starts_with(name))
}

/// The text without what is another each time.
pub(crate) fn normal(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("  | srcversion:"))
        .filter_map(unnumbered);
    let lines: Vec<_> = lines.map(without_log).collect();
    Names::default().normal(&lines.join("\n"))
}

impl Names {
    /// The text with names in place of all generations.
    fn normal(&mut self, text: &str) -> String {
        let is_digit = |c: char| c.is_ascii_hexdigit();
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
            let (word, tail) = rest.split_at(end);
            match u64::from_str_radix(word, 16) {
                Ok(number) if word.len() == 16 && number >= SMALLEST => {
                    out.push_str(&self.name(number));
                }
                _ => out.push_str(word),
            }
            let next = tail.find(is_digit).unwrap_or(tail.len());
            let (between, tail) = tail.split_at(next);
            out.push_str(between);
            rest = tail;
        }
        out
    }

    fn name(&mut self, number: u64) -> String {
        let generation = number & !PRIMARY;
        let at = self.0.iter().position(|known| *known == generation);
        let at = at.unwrap_or_else(|| {
            self.0.push(generation);
            self.0.len() - 1
        });
        let primary = if number & PRIMARY != 0 { "+1" } else { "" };
        format!("<generation {at}{primary}>")
    }
}

#[cfg(test)]
mod tests {
    use super::{normal, with_peer, Names};

    #[test]
    fn what_may_come_at_another_time_is_left_out() {
        let device = "change peer-device name:r0 peer-node-id:0 conn-name:peer volume:0";
        let kept = format!("{device} peer-disk:UpToDate\n3 ST-new x");
        let text = format!("{device}\ncall helper x\n{kept}\n4 R - r0\n5 UH x");
        assert_eq!(with_peer(&text), kept);
    }

    #[test]
    fn the_same_generation_has_the_same_name() {
        let text = "1234567890ABCDEF:0000000000000004:1234567890ABCDEE 12345678:FEDCBA9876543210";
        assert_eq!(
            Names::default().normal(text),
            "<generation 0+1>:0000000000000004:<generation 0> 12345678:<generation 1>"
        );
    }

    #[test]
    fn what_is_written_of_the_log_does_not_count() {
        let text =
            "  | srcversion: X\n  | 0: cs:StandAlone ds:Inconsistent/DUnknown   r----s\n  |  \
            ns:0 nr:0 al:8 bm:1 lo:0";
        assert_eq!(
            normal(text),
            "  | 0: cs:StandAlone ds:Inconsistent/DUnknown   r-----\n  |  ns:0 nr:0 al:N bm:N lo:0"
        );
    }
}
