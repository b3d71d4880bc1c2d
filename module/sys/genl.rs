// SPDX-License-Identifier: GPL-2.0

//! Generic netlink: a [`Family`] with commands, [`Request`]s to it, and [`Message`]s from it.
//!
//! The kernel's own attribute parsing isn't used: handlers get the bytes of all attributes, and
//! parse them by the engine's tables. Every message of the family has a [`Header`] of eight bytes
//! in front of its attributes, in native byte order.

use super::shim;
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_long,
        c_void, //
    },
    prelude::*, //
};

use core::{
    mem::{
        size_of,
        ManuallyDrop, //
    },
    ptr::NonNull,
};

/// Bytes of `struct nlmsghdr` and of `struct genlmsghdr`.
const NETLINK_HEADERS: usize = 16 + 4;
/// Room for attributes of a message of usual size.
pub const MESSAGE_SIZE: usize = 3500;

/// What stands in front of the attributes: two words whose meaning is the family's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Header {
    /// The minor number, or all ones.
    pub minor: u32,
    /// Flags of a request; the result code of a reply.
    pub code: u32,
}

const HEADER_SIZE: usize = size_of::<Header>();

/// A command of a family.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its number.
    pub number: u8,
    /// Whether only who has `CAP_NET_ADMIN` may send it.
    pub admin: bool,
    /// Whether it can be done.
    pub can_do: bool,
    /// Whether it can be dumped.
    pub can_dump: bool,
}

/// What a family is, beside its commands.
#[derive(Clone, Copy, Debug)]
pub struct FamilySpec {
    /// Its name, at most 15 bytes.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// The name of its one multicast group, at most 15 bytes.
    pub group: &'static str,
    /// Commands from here on have their netlink flags checked by the kernel. The family's own must
    /// be below.
    pub strict_from: u8,
    /// Whether handlers may run at the same time, and so have to lock by themselves.
    pub parallel: bool,
}

/// What does the commands.
pub trait Handler: Send + Sync + 'static {
    /// Does a command. May sleep. An error is sent to the caller as an errno.
    fn do_it(&self, request: &Request<'_>) -> Result;

    /// Puts the next part of a dump into `out`. May sleep.
    ///
    /// Called again, with what `cursor` was left at, until a call puts nothing. The cursor is all
    /// zeros at first. When [`DumpOut::entry`] says that it is full, return.
    fn dump(&self, request: &Request<'_>, cursor: &mut [u64; 6], out: &mut DumpOut<'_>) -> Result;
}

/// The part of a family that the kernel points to.
///
/// The family must stay first: callbacks find the rest by its address.
#[repr(C)]
struct FamilyInner<H> {
    family: bindings::genl_family,
    group: bindings::genl_multicast_group,
    operations: KVec<bindings::genl_split_ops>,
    handler: H,
}

/// A registered family; unregistered when dropped, which waits for its handlers.
pub struct Family<H: Handler> {
    inner: NonNull<FamilyInner<H>>,
}

// SAFETY: The handler is `Send` and `Sync`, and the rest isn't changed while registered but by
// the kernel, which locks.
unsafe impl<H: Handler> Send for Family<H> {}
// SAFETY: As above.
unsafe impl<H: Handler> Sync for Family<H> {}

impl<H: Handler> Family<H> {
    /// Registers a family; its commands may come before this returns. May sleep.
    ///
    /// `commands` must be sorted by number.
    ///
    /// Errors: `EEXIST` if the name is taken, `EINVAL` for bad tables, `ENOMEM`.
    pub fn register(spec: &FamilySpec, commands: &[Command], handler: H) -> Result<Self> {
        let mut operations = KVec::with_capacity(commands.len() * 2, GFP_KERNEL)?;
        for command in commands {
            if command.can_do {
                operations.push(do_operation::<H>(command), GFP_KERNEL)?;
            }
            if command.can_dump {
                operations.push(dump_operation::<H>(command), GFP_KERNEL)?;
            }
        }
        let mut family = bindings::genl_family {
            hdrsize: HEADER_SIZE as u32,
            version: spec.version,
            n_split_ops: u8::try_from(operations.len())?,
            n_mcgrps: 1,
            resv_start_op: spec.strict_from,
            module: (&raw const shim::__this_module).cast_mut().cast(),
            ..bindings::genl_family::default()
        };
        copy_name(&mut family.name, spec.name)?;
        let mut group = bindings::genl_multicast_group::default();
        copy_name(&mut group.name, spec.group)?;
        let inner = KBox::new(
            FamilyInner {
                family,
                group,
                operations,
                handler,
            },
            GFP_KERNEL,
        )?;
        let inner = KBox::into_raw(inner);
        // SAFETY: The box stays where it is, and nobody else knows it yet.
        let result = unsafe {
            (*inner).family.split_ops = (*inner).operations.as_ptr();
            (*inner).family.mcgrps = &raw const (*inner).group;
            shim::tandem_genl_flags(&raw mut (*inner).family, true, spec.parallel);
            to_result(bindings::genl_register_family(&raw mut (*inner).family))
        };
        if let Err(error) = result {
            // SAFETY: The kernel doesn't know it, so it is ours again.
            drop(unsafe { KBox::from_raw(inner) });
            return Err(error);
        }
        Ok(Self {
            inner: NonNull::new(inner).ok_or(ENOMEM)?,
        })
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        // SAFETY: The box lives as long as `self`.
        unsafe { &self.inner.as_ref().handler }
    }

    /// A handle for sending events, without the handler.
    pub fn events(&self) -> Events<'_> {
        // SAFETY: The box lives as long as `self`, and the family is its first field.
        Events(unsafe { &*self.inner.as_ptr().cast::<bindings::genl_family>() })
    }
}

impl<H: Handler> Drop for Family<H> {
    fn drop(&mut self) {
        // SAFETY: Registered in `register`. Waits for all handlers, dumps among them.
        unsafe { bindings::genl_unregister_family(self.inner.as_ptr().cast()) };
        // SAFETY: The kernel has forgotten it, so it is ours again.
        drop(unsafe { KBox::from_raw(self.inner.as_ptr()) });
    }
}

/// Makes and sends the events of a family.
#[derive(Clone, Copy)]
pub struct Events<'a>(&'a bindings::genl_family);

impl Events<'_> {
    /// Starts an event with room for `capacity` bytes of attributes. May sleep.
    ///
    /// `sequence` is what listeners see as the message's number.
    ///
    /// Errors: `ENOMEM`.
    pub fn message(&self, capacity: usize, sequence: u32, command: u8) -> Result<Message> {
        Message::new(self.0, capacity, 0, sequence, command)
    }

    /// Sends an event to all listeners; returns whether there were any. May sleep.
    pub fn multicast(&self, message: Message) -> Result<bool> {
        let skb = message.finish();
        const FIRST_GROUP: u32 = 0;
        // SAFETY: The family is registered, and the message is given up.
        let result = to_result(unsafe {
            bindings::genlmsg_multicast(self.0, skb, 0, FIRST_GROUP, shim::gfp_noio())
        });
        match result {
            Ok(()) => Ok(true),
            Err(error) if error == ESRCH => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A request to a family.
pub struct Request<'a> {
    info: &'a bindings::genl_info,
}

impl<'a> Request<'a> {
    /// The number of its command.
    pub fn command(&self) -> u8 {
        // SAFETY: The request's header lives as long as the request.
        unsafe { (*self.info.genlhdr).cmd }
    }

    /// What stands in front of its attributes; `code` has its flags.
    pub fn header(&self) -> Header {
        // SAFETY: The kernel checked that the message has this header. It is aligned to 4.
        unsafe {
            self.info
                .genlhdr
                .cast::<u8>()
                .add(size_of::<bindings::genlmsghdr>())
                .cast::<Header>()
                .read_unaligned()
        }
    }

    /// The bytes of all its attributes.
    pub fn attributes(&self) -> &'a [u8] {
        // SAFETY: The request's header lives as long as the request.
        let total = unsafe { (*self.info.nlhdr).nlmsg_len } as usize;
        let Some(len) = total.checked_sub(NETLINK_HEADERS + HEADER_SIZE) else {
            return &[];
        };
        // SAFETY: The kernel checked that the message has `total` bytes, from its first header on.
        unsafe {
            core::slice::from_raw_parts(
                self.info
                    .nlhdr
                    .cast::<u8>()
                    .add(NETLINK_HEADERS + HEADER_SIZE),
                len,
            )
        }
    }

    /// The sender's netlink port.
    pub fn port(&self) -> u32 {
        self.info.snd_portid
    }

    /// The number that the sender gave it.
    pub fn sequence(&self) -> u32 {
        self.info.snd_seq
    }

    /// Whether the sender wants a command that makes something to fail if it exists (`NLM_F_EXCL`).
    pub fn exclusive(&self) -> bool {
        const EXCLUSIVE: u16 = 0x200;
        // SAFETY: The request's header lives as long as the request.
        unsafe { (*self.info.nlhdr).nlmsg_flags & EXCLUSIVE != 0 }
    }

    /// Whether the calling task may administer networks, in the initial user namespace.
    pub fn caller_is_net_admin(&self) -> bool {
        // SAFETY: Has no preconditions.
        unsafe { bindings::capable(bindings::CAP_NET_ADMIN as c_int) }
    }

    /// Whether the calling task may administer the system, in the initial user namespace.
    pub fn caller_is_system_admin(&self) -> bool {
        // SAFETY: Has no preconditions.
        unsafe { bindings::capable(bindings::CAP_SYS_ADMIN as c_int) }
    }

    /// Starts a reply with room for `capacity` bytes of attributes. May sleep.
    ///
    /// Errors: `ENOMEM`.
    pub fn new_reply(&self, capacity: usize) -> Result<Message> {
        // SAFETY: The family is registered while it has requests.
        let family = unsafe { &*self.info.family };
        Message::new(
            family,
            capacity,
            self.info.snd_portid,
            self.info.snd_seq,
            self.command(),
        )
    }

    /// Sends a reply to who sent the request. May sleep.
    pub fn reply(&self, message: Message) -> Result {
        let skb = message.finish();
        let info = core::ptr::from_ref(self.info).cast_mut();
        // SAFETY: The request is live and only read, and the message is given up.
        to_result(unsafe { shim::tandem_genl_reply(skb, info) })
    }
}

/// The attributes of a message in the making.
pub struct Builder {
    skb: NonNull<bindings::sk_buff>,
    /// What stands in front of the attributes.
    header: NonNull<Header>,
}

impl Builder {
    /// Sets what stands in front of the attributes; zeros before.
    pub fn set_header(&mut self, header: Header) {
        // SAFETY: The header lies in the message.
        unsafe { self.header.as_ptr().write_unaligned(header) };
    }

    /// Adds an attribute. `kind` may have flag bits.
    ///
    /// Errors: `EMSGSIZE` if there is no room.
    pub fn put(&mut self, kind: u16, value: &[u8]) -> Result {
        const VALUE_MAX: usize = u16::MAX as usize - 4;
        if value.len() > VALUE_MAX {
            return Err(EMSGSIZE);
        }
        // SAFETY: The message is ours, and the value of that length.
        to_result(unsafe {
            bindings::nla_put(
                self.skb.as_ptr(),
                kind.into(),
                value.len() as c_int,
                value.as_ptr().cast(),
            )
        })
    }

    /// Adds an attribute without value.
    pub fn put_flag(&mut self, kind: u16) -> Result {
        self.put(kind, &[])
    }

    /// Adds a number, in native byte order.
    pub fn put_u8(&mut self, kind: u16, value: u8) -> Result {
        self.put(kind, &[value])
    }

    /// Adds a number, in native byte order.
    pub fn put_u32(&mut self, kind: u16, value: u32) -> Result {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds a number, in native byte order; it may lie at any multiple of 4.
    pub fn put_u64(&mut self, kind: u16, value: u64) -> Result {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds a string; a zero byte is put after it. `EINVAL` if it has one.
    pub fn put_string(&mut self, kind: u16, value: &[u8]) -> Result {
        const STRING_MAX: usize = 256;
        let mut bytes = [0; STRING_MAX];
        if value.contains(&0) {
            return Err(EINVAL);
        }
        bytes
            .get_mut(..value.len())
            .ok_or(EMSGSIZE)?
            .copy_from_slice(value);
        self.put(kind, bytes.get(..value.len() + 1).ok_or(EMSGSIZE)?)
    }

    /// Adds an attribute whose value is the attributes that `fill` adds; none if it fails.
    ///
    /// Errors: what `fill` says; `EMSGSIZE` if there is no room.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Builder) -> Result) -> Result {
        let start = self.end();
        self.put(kind, &[])?;
        let result = fill(self).and_then(|()| {
            let len = self.end() as usize - start as usize;
            let len = u16::try_from(len).map_err(|_| EMSGSIZE)?;
            // SAFETY: The attribute starts there; its length is its first field.
            unsafe { start.cast::<u16>().write_unaligned(len) };
            Ok(())
        });
        if result.is_err() {
            // SAFETY: The mark lies within the message.
            unsafe { shim::tandem_skb_cut(self.skb.as_ptr(), start) };
        }
        result
    }

    fn end(&self) -> *mut c_void {
        // SAFETY: The message is ours.
        unsafe { shim::tandem_skb_end(self.skb.as_ptr()) }
    }
}

/// A message of our own: a reply or an event.
pub struct Message {
    builder: Builder,
}

// SAFETY: The message is owned.
unsafe impl Send for Message {}

impl Message {
    fn new(
        family: &bindings::genl_family,
        capacity: usize,
        port: u32,
        sequence: u32,
        command: u8,
    ) -> Result<Self> {
        // SAFETY: May sleep, as callers are told.
        let skb = unsafe { bindings::genlmsg_new(capacity + HEADER_SIZE, shim::gfp_noio()) };
        let skb = NonNull::new(skb).ok_or(ENOMEM)?;
        // SAFETY: The message is fresh, and has room for this.
        let header =
            unsafe { bindings::genlmsg_put(skb.as_ptr(), port, sequence, family, 0, command) };
        let Some(header) = NonNull::new(header.cast()) else {
            // SAFETY: The message is ours.
            unsafe { bindings::nlmsg_free(skb.as_ptr()) };
            return Err(ENOMEM);
        };
        let mut builder = Builder { skb, header };
        builder.set_header(Header::default());
        Ok(Self { builder })
    }

    /// Its header and attributes, to be filled.
    pub fn body(&mut self) -> &mut Builder {
        &mut self.builder
    }

    /// Completes it, and gives it up.
    fn finish(self) -> *mut bindings::sk_buff {
        let me = ManuallyDrop::new(self);
        let skb = me.builder.skb.as_ptr();
        // SAFETY: The message is ours, and the header its own.
        unsafe { shim::tandem_genl_end(skb, me.builder.header.as_ptr().cast()) };
        skb
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: The message is ours.
        unsafe { bindings::nlmsg_free(self.builder.skb.as_ptr()) };
    }
}

/// A part of a dump in the making.
pub struct DumpOut<'a> {
    skb: NonNull<bindings::sk_buff>,
    callback: NonNull<bindings::netlink_callback>,
    family: &'a bindings::genl_family,
    entries: u32,
}

impl DumpOut<'_> {
    /// Adds a message that `fill` fills; returns whether it had room.
    ///
    /// Errors: what `fill` says, but `EMSGSIZE` only if even an empty part has no room.
    pub fn entry(
        &mut self,
        command: u8,
        header: Header,
        fill: impl FnOnce(&mut Builder) -> Result,
    ) -> Result<bool> {
        // SAFETY: Part and callback are live during the dump.
        let start = unsafe {
            shim::tandem_genl_put_multi(
                self.skb.as_ptr(),
                self.callback.as_ptr(),
                self.family,
                command,
            )
        };
        let Some(start) = NonNull::new(start.cast()) else {
            return self.full();
        };
        let mut builder = Builder {
            skb: self.skb,
            header: start,
        };
        builder.set_header(header);
        match fill(&mut builder) {
            Ok(()) => {
                // SAFETY: The message was begun above.
                unsafe { shim::tandem_genl_end(self.skb.as_ptr(), start.as_ptr().cast()) };
                self.entries += 1;
                Ok(true)
            }
            Err(error) => {
                // SAFETY: The message was begun above.
                unsafe { shim::tandem_genl_cancel(self.skb.as_ptr(), start.as_ptr().cast()) };
                if error == EMSGSIZE {
                    self.full()
                } else {
                    Err(error)
                }
            }
        }
    }

    fn full(&self) -> Result<bool> {
        if self.entries == 0 {
            Err(EMSGSIZE)
        } else {
            Ok(false)
        }
    }
}

/// What both kinds of operation have in common: attributes are left to the handler.
fn operation(command: &Command, kind: u32) -> bindings::genl_split_ops {
    let admin = if command.admin {
        bindings::GENL_ADMIN_PERM
    } else {
        0
    };
    let lenient = bindings::genl_validate_flags_GENL_DONT_VALIDATE_STRICT
        | bindings::genl_validate_flags_GENL_DONT_VALIDATE_DUMP_STRICT;
    bindings::genl_split_ops {
        policy: (&raw const shim::tandem_genl_no_policy).cast(),
        cmd: command.number,
        // All these are small bit numbers.
        flags: (admin | kind) as u8,
        validate: lenient as u8,
        ..bindings::genl_split_ops::default()
    }
}

fn do_operation<H: Handler>(command: &Command) -> bindings::genl_split_ops {
    let mut operation = operation(command, bindings::GENL_CMD_CAP_DO);
    operation.__bindgen_anon_1.__bindgen_anon_1 =
        bindings::genl_split_ops__bindgen_ty_1__bindgen_ty_1 {
            doit: Some(do_it::<H>),
            ..Default::default()
        };
    operation
}

fn dump_operation<H: Handler>(command: &Command) -> bindings::genl_split_ops {
    let mut operation = operation(command, bindings::GENL_CMD_CAP_DUMP);
    operation.__bindgen_anon_1.__bindgen_anon_2 =
        bindings::genl_split_ops__bindgen_ty_1__bindgen_ty_2 {
            dumpit: Some(dump_it::<H>),
            ..Default::default()
        };
    operation
}

/// Copies a name as a C string.
fn copy_name(to: &mut [kernel::ffi::c_char; 16], from: &str) -> Result {
    if from.is_empty() || from.len() >= to.len() || from.as_bytes().contains(&0) {
        return Err(EINVAL);
    }
    for (to, from) in to.iter_mut().zip(from.as_bytes()) {
        *to = *from as kernel::ffi::c_char;
    }
    Ok(())
}

/// # Safety
///
/// Called by the kernel for a family made by `Family::register::<H>`.
unsafe extern "C" fn do_it<H: Handler>(
    _skb: *mut bindings::sk_buff,
    info: *mut bindings::genl_info,
) -> c_int {
    // SAFETY: The kernel's request lives during this call.
    let info = unsafe { &*info };
    // SAFETY: The family is the first field of its box, which outlives all requests.
    let inner = unsafe { &*info.family.cast::<FamilyInner<H>>() };
    from_result(|| {
        inner.handler.do_it(&Request { info })?;
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel for a family made by `Family::register::<H>`.
unsafe extern "C" fn dump_it<H: Handler>(
    skb: *mut bindings::sk_buff,
    callback: *mut bindings::netlink_callback,
) -> c_int {
    const { assert!(size_of::<c_long>() == size_of::<u64>()) };
    // SAFETY: The kernel's request lives during this call.
    let info = unsafe { &*shim::tandem_genl_dump_info(callback) };
    // SAFETY: The family is the first field of its box, which outlives all requests.
    let inner = unsafe { &*info.family.cast::<FamilyInner<H>>() };
    // SAFETY: The callback lives during this call; its arguments are ours, and only reached here.
    let cursor = unsafe { &mut *(&raw mut (*callback).__bindgen_anon_1.args).cast::<[u64; 6]>() };
    from_result(|| {
        let mut out = DumpOut {
            skb: NonNull::new(skb).ok_or(EINVAL)?,
            callback: NonNull::new(callback).ok_or(EINVAL)?,
            family: &inner.family,
            entries: 0,
        };
        inner.handler.dump(&Request { info }, cursor, &mut out)?;
        // Zero ends the dump, anything above asks for the next part.
        Ok(c_int::from(out.entries > 0))
    })
}
