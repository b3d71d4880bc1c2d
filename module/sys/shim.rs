// SPDX-License-Identifier: GPL-2.0

//! Declarations of `shim.c`, and of exported kernel functions that bindings lack.
//!
//! Keep in step with `shim.h`. Nothing outside `sys` may name this module.

// Kernel structs may have members that are empty in some configurations; C knows them well.
#![allow(improper_ctypes)]

use kernel::{
    bindings,
    ffi::{
        c_char,
        c_int,
        c_long,
        c_uint,
        c_ulong,
        c_void, //
    },
    types::Opaque, //
};

/// `struct proc_dir_entry`, never looked into.
#[repr(C)]
pub(super) struct ProcDirEntry([u8; 0]);

/// `struct crypto_shash`, never looked into.
#[repr(C)]
pub(super) struct CryptoShash([u8; 0]);

// The signatures are those of `shim.h` and of the kernel's headers. Those marked safe have
// no preconditions, or are constants.
unsafe extern "C" {
    /// This module, as `THIS_MODULE` of C.
    pub(super) static __this_module: Opaque<bindings::module>;

    pub(super) safe static tandem_minor_count: c_uint;
    pub(super) static tandem_disable_sendpage: bool;
    pub(super) safe static tandem_allow_oos: bool;
    pub(super) static tandem_proc_details: c_int;
    pub(super) static tandem_enable_faults: c_int;
    pub(super) static tandem_fault_rate: c_int;
    pub(super) static mut tandem_fault_count: c_int;
    pub(super) static tandem_fault_devs: c_int;
    pub(super) fn tandem_usermode_helper(to: *mut c_char, size: usize);

    safe static tandem_gfp_noio: bindings::gfp_t;

    pub(super) fn tandem_alloc_page(may_sleep: bool) -> *mut bindings::page;
    pub(super) fn tandem_page_address(page: *mut bindings::page) -> *mut c_void;
    pub(super) fn tandem_page_count(page: *mut bindings::page) -> c_int;
    pub(super) fn tandem_sendpage_ok(page: *mut bindings::page) -> bool;

    pub(super) fn tandem_limits_start(q: *mut bindings::request_queue) -> bindings::queue_limits;
    pub(super) fn tandem_bdev_limits(
        bdev: *mut bindings::block_device,
    ) -> *mut bindings::queue_limits;
    pub(super) fn tandem_bdev_read_only(bdev: *mut bindings::block_device) -> bool;
    pub(super) fn tandem_bdev_rotational(bdev: *mut bindings::block_device) -> bool;
    pub(super) fn tandem_bdev_sectors_done(bdev: *mut bindings::block_device) -> u64;
    pub(super) fn tandem_disk_name(bdev: *mut bindings::block_device) -> *const c_char;
    pub(super) fn tandem_bdev_partno(bdev: *mut bindings::block_device) -> c_int;
    pub(super) fn tandem_bio_inc_remaining(bio: *mut bindings::bio);
    pub(super) fn tandem_bio_end_acct(bio: *mut bindings::bio, start: c_ulong);

    pub(super) fn tandem_sk_set_rcv_timeout(sock: *mut bindings::socket, timeout: c_long);
    pub(super) fn tandem_sk_set_snd_timeout(sock: *mut bindings::socket, timeout: c_long);
    pub(super) fn tandem_sk_set_buffers(sock: *mut bindings::socket, snd: c_int, rcv: c_int);
    pub(super) fn tandem_sk_set_io(sock: *mut bindings::socket, priority: u32);
    pub(super) fn tandem_sk_set_memalloc(sock: *mut bindings::socket, on: bool);
    pub(super) fn tandem_sk_set_nodelay(sock: *mut bindings::socket);
    pub(super) fn tandem_sk_set_cork(sock: *mut bindings::socket, on: bool);
    pub(super) fn tandem_sk_room(sock: *mut bindings::socket) -> c_int;
    pub(super) fn tandem_sk_set_reuseaddr(sock: *mut bindings::socket);
    pub(super) fn tandem_sk_set_keepalive(
        sock: *mut bindings::socket,
        idle: c_int,
        interval: c_int,
        count: c_int,
    );
    pub(super) fn tandem_sk_queued(sock: *mut bindings::socket) -> c_int;
    pub(super) fn tandem_sk_sndbuf(sock: *mut bindings::socket) -> c_int;
    pub(super) fn tandem_sk_unread(sock: *mut bindings::socket) -> c_uint;
    pub(super) fn tandem_sk_unacked(sock: *mut bindings::socket) -> c_uint;
    pub(super) fn tandem_sk_established(sock: *mut bindings::socket) -> bool;

    pub(super) static tandem_genl_no_policy: Opaque<[bindings::nla_policy; 1]>;
    pub(super) fn tandem_skb_end(skb: *mut bindings::sk_buff) -> *mut c_void;
    pub(super) fn tandem_skb_cut(skb: *mut bindings::sk_buff, mark: *mut c_void);
    pub(super) fn tandem_genl_end(skb: *mut bindings::sk_buff, header: *mut c_void);
    pub(super) fn tandem_genl_cancel(skb: *mut bindings::sk_buff, header: *mut c_void);
    pub(super) fn tandem_genl_put_multi(
        skb: *mut bindings::sk_buff,
        cb: *mut bindings::netlink_callback,
        family: *const bindings::genl_family,
        cmd: u8,
    ) -> *mut c_void;
    pub(super) fn tandem_genl_reply(
        skb: *mut bindings::sk_buff,
        info: *mut bindings::genl_info,
    ) -> c_int;
    pub(super) fn tandem_genl_dump_info(
        cb: *mut bindings::netlink_callback,
    ) -> *const bindings::genl_info;
    pub(super) fn tandem_genl_flags(
        family: *mut bindings::genl_family,
        netnsok: bool,
        parallel: bool,
    );

    pub(super) safe fn tandem_jiffies_ms() -> u64;
    pub(super) safe fn tandem_ms_since(start: c_ulong) -> c_uint;
    safe fn tandem_ms_to_jiffies(ms: c_uint) -> c_ulong;
    pub(super) safe fn tandem_thread_priority(fifo_low: bool);
    pub(super) safe fn tandem_thread_batch();
    pub(super) fn tandem_thread_cpus(
        task: *mut bindings::task_struct,
        low: u64,
        high: u64,
    ) -> c_int;
    pub(super) safe fn tandem_stack_left() -> c_ulong;
    pub(super) safe fn tandem_current() -> *mut bindings::task_struct;
    pub(super) safe fn tandem_is_current(task: *mut bindings::task_struct) -> bool;
    pub(super) safe fn tandem_fatal_signal() -> bool;
    pub(super) safe fn tandem_may_sleep() -> bool;
    pub(super) safe fn tandem_no_io_save() -> c_uint;
    pub(super) safe fn tandem_no_io_restore(former: c_uint);

    pub(super) fn tandem_shash_free(tfm: *mut CryptoShash);
    pub(super) fn tandem_shash_desc_size(tfm: *mut CryptoShash) -> c_uint;
    pub(super) fn tandem_shash_digest_size(tfm: *mut CryptoShash) -> c_uint;
    pub(super) fn tandem_shash_init(desc: *mut c_void, tfm: *mut CryptoShash) -> c_int;
    pub(super) fn tandem_shash_update(desc: *mut c_void, data: *const u8, len: c_uint) -> c_int;
    pub(super) fn tandem_shash_final(desc: *mut c_void, out: *mut u8) -> c_int;

    // Exported by the kernel itself; their headers aren't in the kernel's bindings.
    pub(super) fn crc32c(crc: u32, data: *const c_void, len: usize) -> u32;
    pub(super) fn crypto_alloc_shash(name: *const c_char, kind: u32, mask: u32)
        -> *mut CryptoShash;
    pub(super) fn crypto_shash_setkey(tfm: *mut CryptoShash, key: *const u8, len: c_uint) -> c_int;
    pub(super) fn proc_create_single_data(
        name: *const c_char,
        mode: u16,
        parent: *mut ProcDirEntry,
        show: unsafe extern "C" fn(*mut bindings::seq_file, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> *mut ProcDirEntry;
    pub(super) fn proc_remove(entry: *mut ProcDirEntry);
}

/// Jiffies of a timeout in milliseconds, as the signed type that sleepers take; `None` is for ever.
pub(super) fn timeout_jiffies(ms: Option<u32>) -> c_long {
    match ms {
        None => c_long::MAX,
        Some(ms) => c_long::try_from(tandem_ms_to_jiffies(ms)).unwrap_or(c_long::MAX),
    }
}

/// Flags of an allocation that may sleep, but must not start I/O to get memory.
#[inline]
pub(super) fn gfp_noio() -> bindings::gfp_t {
    tandem_gfp_noio
}
