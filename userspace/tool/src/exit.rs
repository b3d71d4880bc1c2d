// SPDX-License-Identifier: GPL-2.0

//! Exit codes: those of `drbdsetup` 8.4 and of `drbdmeta`, on which cluster scripts rely.

use std::process::ExitCode;
use tandem_engine::control::RetCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Success,
    /// The metadata is not there, not usable, or shall not be changed (`drbdmeta`).
    Metadata,
    /// Wrong usage (`drbdadm`).
    AdmUsage,
    /// A command that `drbdadm` ran ended so.
    Child(u8),
    /// The disk is worse than outdated already, or a wait ran into its timeout.
    LowerThanOutdated,
    /// The kernel refused the request.
    Refused,
    /// The state change is not possible, for another reason than those below.
    StateChange,
    /// There is no local disk.
    NoLocalDisk,
    /// There is no up-to-date data.
    NoUpToDateDisk,
    /// The metadata would damage what is on the device (`drbdmeta`).
    Occupied,
    /// Wrong usage, no module, no privilege, or something unexpected.
    Other,
}

impl Exit {
    /// A wait ended without what was waited for.
    pub(crate) const TIMEOUT: Exit = Exit::LowerThanOutdated;

    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Metadata | Exit::AdmUsage => 1,
            Exit::Child(number) => number,
            Exit::LowerThanOutdated => 5,
            Exit::Refused => 10,
            Exit::StateChange => 11,
            Exit::NoLocalDisk => 16,
            Exit::NoUpToDateDisk => 17,
            Exit::Other => 20,
            Exit::Occupied => 40,
        }
    }

    /// The exit code for a reply code.
    pub(crate) fn of(code: RetCode) -> Self {
        match code {
            code if code.is_success() => Exit::Success,
            code if !code.is_state_change() => Exit::Refused,
            RetCode::SS_NO_UP_TO_DATE_DISK => Exit::NoUpToDateDisk,
            RetCode::SS_LOWER_THAN_OUTDATED => Exit::LowerThanOutdated,
            RetCode::SS_NO_LOCAL_DISK => Exit::NoLocalDisk,
            _ => Exit::StateChange,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_codes_have_the_exit_codes_of_drbdsetup() {
        for (code, number) in [
            (RetCode::NO_ERROR, 0),
            (RetCode::SS_NOTHING_TO_DO, 0),
            (RetCode::ERR_BDCLAIM_DISK, 10),
            (RetCode::SS_LOWER_THAN_OUTDATED, 5),
            (RetCode::SS_NO_LOCAL_DISK, 16),
            (RetCode::SS_NO_UP_TO_DATE_DISK, 17),
            (RetCode::SS_DEVICE_IN_USE, 11),
            (RetCode::SS_UNKNOWN_ERROR, 11),
        ] {
            assert_eq!(Exit::of(code).number(), number, "{code:?}");
        }
    }
}
