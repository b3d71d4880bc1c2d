// SPDX-License-Identifier: GPL-2.0

//! Records what happens to the engine's values, for `tests/replay`.
//!
//! In debugfs are two files. `tandem/record`: a number written to it begins a recording on a tape
//! of so many MiB, 0 ends it; reading tells how it is. `tandem/trace` is the last recording that
//! was ended. A recording is of use only for values that are made while it runs, so it is begun
//! before the first resource.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    Ordering, //
};

use kernel::debugfs;
use kernel::fs::file;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::uaccess::{
    UserSliceReader,
    UserSliceWriter, //
};

use crate::driver::Driver;
use crate::engine::bytes::Writer;
use crate::engine::options::ResourceOptions;
use crate::engine::resource::Resource;
use crate::engine::stream::Stream;
use crate::engine::trace::{
    self,
    Part,
    Tape,
    Traced,
    Written, //
};
use crate::engine::volume::{
    Tables,
    Volume, //
};
use crate::faults;
use crate::reasons;
use crate::storage::{
    array,
    KernelStorage, //
};
use crate::sys::lock::{
    Mutex,
    SpinLock, //
};
use crate::waiting;

/// A volume that can be recorded.
pub type TracedVolume = Traced<Volume<KernelStorage>, Arc<Recorder>>;

/// A stream that can be recorded.
pub type TracedStream = Traced<Stream, Arc<Recorder>>;

/// A resource's decisions that can be recorded.
pub type TracedResource = Traced<Resource, Arc<Recorder>>;

/// Most MiB of one tape.
const MAX_MIB: usize = 1024;

/// The recording of this module, if there is one.
pub struct Recorder {
    on: AtomicBool,
    /// What is being recorded on. Taken inside of every other lock, with interrupts off.
    tape: SpinLock<Option<Tape<KVVec<u8>>>>,
    /// The last recording that was ended.
    ended: Mutex<KVVec<u8>>,
    values: AtomicU32,
}

impl Recorder {
    /// Nothing is recorded. May sleep.
    pub fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                on: AtomicBool::new(false),
                tape: crate::spinlock!(None, c"tandem_tape")?,
                ended: crate::mutex!(KVVec::new(), c"tandem_recording")?,
                values: AtomicU32::new(0),
            },
            GFP_KERNEL,
        )?)
    }

    /// A number for a new value, as recordings name it.
    fn next_value(&self) -> u32 {
        self.values.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a volume that can be recorded.
    pub fn volume(self: &Arc<Self>, minor: u32, tables: Tables<KernelStorage>) -> TracedVolume {
        let number = self.next_value();
        TracedVolume::volume(self.clone(), number, format_args!("minor {minor}"), tables)
    }

    /// Makes the stream of the resource of that name.
    pub fn stream(self: &Arc<Self>, name: &str, max_epoch_size: u32) -> TracedStream {
        let number = self.next_value();
        TracedStream::stream(self.clone(), number, format_args!("{name}"), max_epoch_size)
    }

    /// Makes the decisions of the resource of that name.
    pub fn resource(self: &Arc<Self>, name: &str, options: ResourceOptions) -> TracedResource {
        let number = self.next_value();
        TracedResource::resource(self.clone(), number, format_args!("{name}"), options)
    }

    /// Begins a recording on a tape of `mib` MiB; what was recorded before is thrown away. May
    /// sleep.
    fn start(&self, mib: usize) -> Result {
        let tape = Tape::new(array(mib << 20, 0)?);
        let mut ended = self.ended.lock();
        *ended = KVVec::new();
        let former = self.tape.lock().replace(tape);
        self.on.store(true, Ordering::Relaxed);
        drop(former);
        Ok(())
    }

    /// Ends the recording, if there is one. May sleep.
    fn stop(&self) {
        let mut ended = self.ended.lock();
        self.on.store(false, Ordering::Relaxed);
        // Who saw that it was on finds no tape any more.
        let tape = self.tape.lock().take();
        if let Some(tape) = tape {
            let (mut bytes, len) = tape.into_bytes();
            bytes.truncate(len);
            *ended = bytes;
        }
    }
}

impl trace::Recorder for Arc<Recorder> {
    #[inline]
    fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    fn append(&self, value: u32, part: Part, fill: &dyn Fn(&mut Writer<'_>) -> Written) {
        if let Some(tape) = &mut *self.tape.lock() {
            tape.append(value, part, fill);
        }
    }
}

/// The file `record`.
struct Switch(Arc<Recorder>);

impl debugfs::Writer for Switch {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.tape.lock() {
            Some(tape) => writeln!(
                f,
                "on: {} of {} bytes, {} frames lost",
                tape.len(),
                tape.capacity(),
                tape.lost()
            ),
            None => writeln!(f, "off"),
        }
    }
}

impl debugfs::Reader for Switch {
    fn read_from_slice(&self, reader: &mut UserSliceReader) -> Result {
        let mut text = [0; 8];
        let text = text.get_mut(..reader.len()).ok_or(EINVAL)?;
        reader.read_slice(text)?;
        let text = core::str::from_utf8(text).map_err(|_| EINVAL)?;
        match text.trim().parse() {
            Ok(0) => self.0.stop(),
            Ok(mib) if mib <= MAX_MIB => self.0.start(mib)?,
            _ => return Err(EINVAL),
        }
        Ok(())
    }
}

/// The file `trace`.
struct Ended(Arc<Recorder>);

impl debugfs::BinaryWriter for Ended {
    fn write_to_slice(
        &self,
        writer: &mut UserSliceWriter,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        writer.write_slice_file(&self.0.ended.lock(), offset)
    }
}

/// The files in debugfs; gone when dropped.
pub struct Files {
    _waiting: Pin<KBox<debugfs::File<waiting::File>>>,
    _broken: Pin<KBox<debugfs::File<faults::File>>>,
    _switch: Pin<KBox<debugfs::File<Switch>>>,
    _ended: Pin<KBox<debugfs::File<Ended>>>,
    _reasons: Pin<KBox<debugfs::File<reasons::File>>>,
    _folder: debugfs::Dir,
}

impl Files {
    /// Makes them. May sleep.
    pub fn new(driver: &Arc<Driver>) -> Result<Self> {
        let recorder = &driver.recorder;
        let folder = debugfs::Dir::new(c"tandem");
        Ok(Self {
            _waiting: KBox::pin_init(
                folder.read_only_file(c"waiting", waiting::File(driver.clone())),
                GFP_KERNEL,
            )?,
            _broken: KBox::pin_init(
                folder.read_only_file(c"broken", faults::File(driver.faults.clone())),
                GFP_KERNEL,
            )?,
            _switch: KBox::pin_init(
                folder.read_write_file(c"record", Switch(recorder.clone())),
                GFP_KERNEL,
            )?,
            _ended: KBox::pin_init(
                folder.read_binary_file(c"trace", Ended(recorder.clone())),
                GFP_KERNEL,
            )?,
            _reasons: KBox::pin_init(
                folder.read_only_file(c"reasons", reasons::File(driver.clone())),
                GFP_KERNEL,
            )?,
            _folder: folder,
        })
    }
}
