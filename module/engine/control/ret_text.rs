// SPDX-License-Identifier: GPL-2.0

//! What reply codes mean, and what the user can do: one table.

use super::RetCode;

macro_rules! texts {
    ($($name:ident: $text:literal, $hint:literal;)*) => {
        pub(super) const fn text(code: RetCode) -> &'static str {
            match code {
                $(RetCode::$name => $text,)*
                _ => "unknown reply code",
            }
        }

        pub(super) const fn hint(code: RetCode) -> &'static str {
            match code {
                $(RetCode::$name => $hint,)*
                _ => "the kernel module may be newer than this tool; see the kernel's log",
            }
        }
    };
}

texts! {
    NO_ERROR: "done", "";
    ERR_LOCAL_ADDR: "the local address and port are already in use by another connection",
        "give every connection its own port, or take the other one down";
    ERR_PEER_ADDR: "the remote address and port are already in use by another connection",
        "give every connection its own port, or take the other one down";
    ERR_OPEN_DISK: "the lower device cannot be opened",
        "check that the path exists and that nothing else uses the device (lsblk, fuser -v)";
    ERR_OPEN_MD_DISK: "the device for the metadata cannot be opened",
        "check that the path exists and that nothing else uses the device (lsblk, fuser -v)";
    ERR_DISK_NOT_BDEV: "the lower device is not a block device",
        "give the path of a disk, partition, logical volume or loop device";
    ERR_MD_NOT_BDEV: "the device for the metadata is not a block device",
        "give the path of a disk, partition, logical volume or loop device";
    ERR_DISK_TOO_SMALL: "the lower device is smaller than the requested or recorded size",
        "give a smaller --size, or enlarge the lower device";
    ERR_MD_DISK_TOO_SMALL: "the device for the metadata is too small",
        "enlarge it, or choose another index";
    ERR_BDCLAIM_DISK: "the lower device is in use, most likely mounted",
        "unmount it or stop what uses it (findmnt, lsblk, fuser -v), then try again";
    ERR_BDCLAIM_MD_DISK: "the device for the metadata is in use, most likely mounted",
        "unmount it or stop what uses it (findmnt, lsblk, fuser -v), then try again";
    ERR_MD_IDX_INVALID: "lower device, metadata device and index do not go together",
        "internal metadata needs the same device twice; an index must not be in use already";
    ERR_IO_MD_DISK: "I/O errors while the metadata was read or written",
        "see the kernel's log for the device, and replace it if it is failing";
    ERR_MD_INVALID: "no valid metadata found",
        "create it with 'tandem meta MINOR v08 DEVICE INDEX create-md' (or 'drbdadm create-md')";
    ERR_AUTH_ALG: "the kernel does not know the algorithm given as cram-hmac-alg",
        "load its module, or choose one that /proc/crypto lists";
    ERR_AUTH_ALG_ND: "the algorithm given as cram-hmac-alg is not a digest",
        "choose a digest such as sha256";
    ERR_NOMEM: "out of kernel memory", "free memory and try again";
    ERR_DISCARD_IMPOSSIBLE: "a Primary cannot discard its data",
        "make this node Secondary first, or connect without --discard-my-data";
    ERR_DISK_CONFIGURED: "a lower device is already attached",
        "detach it first, or change its options with disk-options";
    ERR_NET_CONFIGURED: "the connection is still configured",
        "disconnect first, or change its options with net-options";
    ERR_MANDATORY_TAG: "the request lacks a required attribute, or has one out of range",
        "see the kernel's words above; if they do not help, tool and module do not fit";
    ERR_MINOR_INVALID: "there is no such minor", "create it with new-minor";
    ERR_INTR: "interrupted by a signal", "try again";
    ERR_RESIZE_RESYNC: "no resize during a resync", "wait for its end (wait-sync)";
    ERR_NO_PRIMARY: "a resize needs one Primary", "make one node Primary first";
    ERR_RESYNC_AFTER: "the minor given as resync-after does not exist",
        "create it first, or give -1";
    ERR_RESYNC_AFTER_CYCLE: "resync-after would make minors wait for each other",
        "break the cycle";
    ERR_PAUSE_IS_SET: "the resync is paused already", "resume-sync lets it go on";
    ERR_PAUSE_IS_CLEAR: "the resync is not paused", "pause-sync pauses it";
    ERR_PACKET_NR: "the kernel does not know this request",
        "tool and module do not fit: compare their versions";
    ERR_NO_DISK: "no lower device is attached", "attach one first";
    ERR_NOT_PROTO_C: "two Primaries need protocol C",
        "give --protocol C, or --allow-two-primaries no";
    ERR_NOMEM_BITMAP: "not enough kernel memory for the bitmap",
        "it takes 32 MiB for each TiB: free memory and try again";
    ERR_INTEGRITY_ALG: "the kernel does not know the algorithm given as data-integrity-alg",
        "load its module, or choose one that /proc/crypto lists";
    ERR_INTEGRITY_ALG_ND: "the algorithm given as data-integrity-alg is not a digest",
        "choose a digest such as crc32c or sha256";
    ERR_CPU_MASK_PARSE: "the CPU mask cannot be read",
        "give a hexadecimal mask such as 3 for the first two CPUs";
    ERR_CSUMS_ALG: "the kernel does not know the algorithm given as csums-alg",
        "load its module, or choose one that /proc/crypto lists";
    ERR_CSUMS_ALG_ND: "the algorithm given as csums-alg is not a digest",
        "choose a digest such as crc32c or sha256";
    ERR_VERIFY_ALG: "the kernel does not know the algorithm given as verify-alg",
        "load its module, or choose one that /proc/crypto lists";
    ERR_VERIFY_ALG_ND: "the algorithm given as verify-alg is not a digest",
        "choose a digest such as crc32c or sha256";
    ERR_CSUMS_RESYNC_RUNNING: "csums-alg cannot change during a resync",
        "wait for its end (wait-sync)";
    ERR_VERIFY_RUNNING: "verify-alg cannot change during a verify", "wait for its end";
    ERR_DATA_NOT_CURRENT: "this disk does not hold the data that was in use last",
        "attach the disk that was lost last, or take the resource down first";
    ERR_CONNECTED: "this is possible without connection only", "disconnect first";
    ERR_PERM: "permission denied", "run it as root (CAP_SYS_ADMIN and CAP_NET_ADMIN)";
    ERR_NEED_APV_93: "the peer is too old for --assume-clean",
        "leave the option out: the new part is then resynced";
    ERR_STONITH_AND_PROT_A: "fencing resource-and-stonith does not go with protocol A",
        "use protocol B or C, or another fencing policy";
    ERR_CONG_NOT_PROTO_A: "on-congestion other than block needs protocol A",
        "give --protocol A, or --on-congestion block";
    ERR_PIC_AFTER_DEP: "not paused by the user: the resync waits for another (resync-after)",
        "wait for the other one, or change resync-after";
    ERR_PIC_PEER_DEP: "not paused by the user here: the peer paused the resync",
        "let it go on at the peer";
    ERR_RES_NOT_KNOWN: "there is no such resource or connection",
        "create it with new-resource; 'tandem setup status' lists what is there";
    ERR_RES_IN_USE: "the resource still has volumes", "delete its minors first, or use down";
    ERR_MINOR_CONFIGURED: "the minor is still in use",
        "make it Secondary and detach its disk first, or use down";
    ERR_MINOR_OR_VOLUME_EXISTS: "the minor or the volume exists already",
        "delete it first, or choose another number";
    ERR_INVALID_REQUEST: "the request makes no sense", "see the kernel's words above, or its log";
    ERR_NEED_APV_100: "the peer is too old to change these options while connected",
        "disconnect, change them on both nodes, and connect";
    ERR_NEED_ALLOW_TWO_PRI: "both nodes are Primary, so this has to stay allowed",
        "make one of them Secondary first";
    ERR_MD_UNCLEAN: "the activity log was not applied yet",
        "run 'tandem meta MINOR v08 DEVICE INDEX apply-al' (or 'drbdadm apply-al') first";
    ERR_MD_LAYOUT_CONNECTED: "the layout of the metadata changes while connected only",
        "connect first";
    ERR_MD_LAYOUT_TOO_BIG: "the activity log would get too big",
        "give fewer or smaller stripes";
    ERR_MD_LAYOUT_TOO_SMALL: "the activity log would get too small",
        "give more or larger stripes";
    ERR_MD_LAYOUT_NO_FIT: "the activity log does not fit into the space for the metadata",
        "give fewer or smaller stripes";
    ERR_IMPLICIT_SHRINK: "the device would shrink without being asked to",
        "enlarge the lower devices, or give the smaller size with resize --size";
    SS_CW_NO_NEED: "the peer need not agree", "";
    SS_CW_SUCCESS: "the peer agrees", "";
    SS_NOTHING_TO_DO: "nothing to do", "";
    SS_SUCCESS: "done", "";
    SS_UNKNOWN_ERROR: "unknown error", "see the kernel's log";
    SS_TWO_PRIMARIES: "the peer is Primary, and only one may be",
        "make the peer Secondary first, or allow two Primaries on both nodes";
    SS_NO_UP_TO_DATE_DISK: "no up-to-date data can be reached",
        "connect to the peer and let the resync finish; \
         'primary --force' takes the local data as good, whatever is in it";
    SS_NO_LOCAL_DISK: "no local disk", "attach one first";
    SS_NO_REMOTE_DISK: "no disk at the peer", "attach one there first";
    SS_CONNECTED_OUTDATES: "a connected peer would not become outdated by this",
        "disconnect first";
    SS_PRIMARY_NOP: "the peer is Primary and has no other data: it refuses to be left alone",
        "make it Secondary first, or 'disconnect --force'";
    SS_RESYNC_RUNNING: "a resync is running already", "wait for its end (wait-sync)";
    SS_ALREADY_STANDALONE: "there is no connection to end", "";
    SS_CW_FAILED_BY_PEER: "the peer refused", "see the kernel's log there";
    SS_IS_DISKLESS: "no disk is attached", "attach one first";
    SS_DEVICE_IN_USE: "the device is in use: someone holds it open",
        "unmount it and stop what uses it (findmnt, fuser -v), then try again";
    SS_NO_NET_CONFIG: "there is no connection", "connect first";
    SS_NO_VERIFY_ALG: "no verify-alg is set",
        "set one with net-options on both nodes, such as --verify-alg crc32c";
    SS_NEED_CONNECTION: "this needs a connected peer", "connect first (wait-connect)";
    SS_LOWER_THAN_OUTDATED: "the disk is worse than outdated already", "";
    SS_NOT_SUPPORTED: "the peer does not support this", "compare the versions on both nodes";
    SS_IN_TRANSIENT_STATE: "the state is just changing", "try again";
    SS_CONCURRENT_ST_CHG: "the peer changed its state at the same time", "try again";
    SS_O_VOL_PEER_PRI: "the peer is Primary in another volume of this resource",
        "make it Secondary first";
    SS_OUTDATE_WO_CONN: "cannot outdate the peer without a connection",
        "see the kernel's log";
}
