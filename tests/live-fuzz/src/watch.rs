// SPDX-License-Identifier: GPL-2.0

//! What is being waited for, and since when: nothing may take longer than is allowed. A thread that
//! hangs in the kernel cannot say so itself.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What is under way, by a number.
static UNDER_WAY: Mutex<BTreeMap<u64, (String, Instant)>> = Mutex::new(BTreeMap::new());

/// Does something that has to end in bounded time.
pub(crate) fn bounded<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let number = {
        let mut all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        let number = all.last_key_value().map_or(0, |(last, _)| last + 1);
        all.insert(number, (what.to_owned(), Instant::now()));
        number
    };
    let result = act();
    let mut all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    all.remove(&number);
    result
}

/// What takes longer than `limit`, if something does.
pub(crate) fn overdue(limit: Duration) -> Option<String> {
    let all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    let (what, since) = all.values().find(|(_, since)| since.elapsed() > limit)?;
    Some(format!("hung: {what}, for {} s", since.elapsed().as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_named_while_it_lasts() {
        let seen = bounded("a long thing", || overdue(Duration::ZERO));
        assert!(seen.is_some_and(|text| text.contains("a long thing")));
        let others = overdue(Duration::ZERO).unwrap_or_default();
        assert!(!others.contains("a long thing"));
    }
}
