// SPDX-License-Identifier: GPL-2.0

//! Reply codes: above 100 a refusal (101: none), otherwise the outcome of a state change.

use super::ret_text;

/// A reply code; unknown numbers stay what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetCode(pub i32);

macro_rules! ret_codes {
    ($($name:ident = $nr:literal,)*) => {
        impl RetCode {
            $(
                #[doc = concat!("`", stringify!($name), "`: see [`RetCode::text`].")]
                pub const $name: RetCode = RetCode($nr);
            )*

            /// All codes that this version knows.
            pub const ALL: &'static [RetCode] = &[$(RetCode::$name,)*];

            /// Name, as in DRBD's headers; `None` for an unknown number.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($nr => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

ret_codes! {
    NO_ERROR = 101,
    ERR_LOCAL_ADDR = 102,
    ERR_PEER_ADDR = 103,
    ERR_OPEN_DISK = 104,
    ERR_OPEN_MD_DISK = 105,
    ERR_DISK_NOT_BDEV = 107,
    ERR_MD_NOT_BDEV = 108,
    ERR_DISK_TOO_SMALL = 111,
    ERR_MD_DISK_TOO_SMALL = 112,
    ERR_BDCLAIM_DISK = 114,
    ERR_BDCLAIM_MD_DISK = 115,
    ERR_MD_IDX_INVALID = 116,
    ERR_IO_MD_DISK = 118,
    ERR_MD_INVALID = 119,
    ERR_AUTH_ALG = 120,
    ERR_AUTH_ALG_ND = 121,
    ERR_NOMEM = 122,
    ERR_DISCARD_IMPOSSIBLE = 123,
    ERR_DISK_CONFIGURED = 124,
    ERR_NET_CONFIGURED = 125,
    ERR_MANDATORY_TAG = 126,
    ERR_MINOR_INVALID = 127,
    ERR_INTR = 129,
    ERR_RESIZE_RESYNC = 130,
    ERR_NO_PRIMARY = 131,
    ERR_RESYNC_AFTER = 132,
    ERR_RESYNC_AFTER_CYCLE = 133,
    ERR_PAUSE_IS_SET = 134,
    ERR_PAUSE_IS_CLEAR = 135,
    ERR_PACKET_NR = 137,
    ERR_NO_DISK = 138,
    ERR_NOT_PROTO_C = 139,
    ERR_NOMEM_BITMAP = 140,
    ERR_INTEGRITY_ALG = 141,
    ERR_INTEGRITY_ALG_ND = 142,
    ERR_CPU_MASK_PARSE = 143,
    ERR_CSUMS_ALG = 144,
    ERR_CSUMS_ALG_ND = 145,
    ERR_VERIFY_ALG = 146,
    ERR_VERIFY_ALG_ND = 147,
    ERR_CSUMS_RESYNC_RUNNING = 148,
    ERR_VERIFY_RUNNING = 149,
    ERR_DATA_NOT_CURRENT = 150,
    ERR_CONNECTED = 151,
    ERR_PERM = 152,
    ERR_NEED_APV_93 = 153,
    ERR_STONITH_AND_PROT_A = 154,
    ERR_CONG_NOT_PROTO_A = 155,
    ERR_PIC_AFTER_DEP = 156,
    ERR_PIC_PEER_DEP = 157,
    ERR_RES_NOT_KNOWN = 158,
    ERR_RES_IN_USE = 159,
    ERR_MINOR_CONFIGURED = 160,
    ERR_MINOR_OR_VOLUME_EXISTS = 161,
    ERR_INVALID_REQUEST = 162,
    ERR_NEED_APV_100 = 163,
    ERR_NEED_ALLOW_TWO_PRI = 164,
    ERR_MD_UNCLEAN = 165,
    ERR_MD_LAYOUT_CONNECTED = 166,
    ERR_MD_LAYOUT_TOO_BIG = 167,
    ERR_MD_LAYOUT_TOO_SMALL = 168,
    ERR_MD_LAYOUT_NO_FIT = 169,
    ERR_IMPLICIT_SHRINK = 170,
    SS_CW_NO_NEED = 4,
    SS_CW_SUCCESS = 3,
    SS_NOTHING_TO_DO = 2,
    SS_SUCCESS = 1,
    SS_UNKNOWN_ERROR = 0,
    SS_TWO_PRIMARIES = -1,
    SS_NO_UP_TO_DATE_DISK = -2,
    SS_NO_LOCAL_DISK = -4,
    SS_NO_REMOTE_DISK = -5,
    SS_CONNECTED_OUTDATES = -6,
    SS_PRIMARY_NOP = -7,
    SS_RESYNC_RUNNING = -8,
    SS_ALREADY_STANDALONE = -9,
    SS_CW_FAILED_BY_PEER = -10,
    SS_IS_DISKLESS = -11,
    SS_DEVICE_IN_USE = -12,
    SS_NO_NET_CONFIG = -13,
    SS_NO_VERIFY_ALG = -14,
    SS_NEED_CONNECTION = -15,
    SS_LOWER_THAN_OUTDATED = -16,
    SS_NOT_SUPPORTED = -17,
    SS_IN_TRANSIENT_STATE = -18,
    SS_CONCURRENT_ST_CHG = -19,
    SS_O_VOL_PEER_PRI = -20,
    SS_OUTDATE_WO_CONN = -21,
}

impl RetCode {
    /// Whether the request was done.
    pub const fn is_success(self) -> bool {
        self.0 == Self::NO_ERROR.0 || (self.0 >= Self::SS_SUCCESS.0 && self.0 <= 100)
    }

    /// Whether it is the outcome of a state change, and not of the checks before it.
    pub const fn is_state_change(self) -> bool {
        self.0 <= 100
    }

    /// What the code means, in one sentence.
    pub const fn text(self) -> &'static str {
        ret_text::text(self)
    }

    /// What the user can do about it; empty where the text says it all.
    pub const fn hint(self) -> &'static str {
        ret_text::hint(self)
    }
}
