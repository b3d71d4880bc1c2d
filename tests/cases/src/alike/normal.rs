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

/// Whether a line of `events` tells of the present state, which may be later than the event.
fn is_later(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words
        .next()
        .is_some_and(|number| number.parse::<u32>().is_ok())
        && words.next() == Some("ST")
}

/// The text without what is another each time.
pub(super) fn normal(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("  | srcversion:") && !is_later(line));
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
    use super::{normal, Names};

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
