// SPDX-License-Identifier: GPL-2.0

//! Digests by name, keyed or not, from the kernel's crypto library.

use super::{
    payload::Payload,
    shim::{
        self,
        CryptoShash, //
    },
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    error::{
        from_err_ptr,
        to_result, //
    },
    ffi::c_uint,
    prelude::*, //
};

use core::ptr::NonNull;

/// Longest digest of any algorithm, in bytes.
pub const DIGEST_MAX: usize = 64;

/// A digest algorithm with its key, if any, and the memory for one calculation.
pub struct Digest {
    algorithm: NonNull<CryptoShash>,
    /// The kernel's state of a calculation; words for alignment.
    state: KVec<u64>,
    size: usize,
}

// SAFETY: Owned; calculations need `&mut self`.
unsafe impl Send for Digest {}
// SAFETY: Nothing is changed through a shared reference.
unsafe impl Sync for Digest {}

impl Digest {
    /// Finds an algorithm: `crc32c`, `sha1`, `hmac(sha256)`. May sleep, may load a module.
    ///
    /// Errors: `ENOENT` if there is none of that name, `ENOMEM`.
    pub fn new(name: &CStr) -> Result<Self> {
        // SAFETY: The name is a C string, and we may sleep.
        let algorithm = unsafe { shim::crypto_alloc_shash(name.as_char_ptr(), 0, 0) };
        let algorithm = from_err_ptr(algorithm)?;
        let mut digest = Self {
            algorithm: NonNull::new(algorithm).ok_or(ENOENT)?,
            state: KVec::new(),
            size: 0,
        };
        // SAFETY: The algorithm is live.
        let state = unsafe { shim::tandem_shash_desc_size(algorithm) } as usize;
        // SAFETY: The algorithm is live.
        digest.size = unsafe { shim::tandem_shash_digest_size(algorithm) } as usize;
        if digest.size > DIGEST_MAX {
            return Err(EINVAL);
        }
        let words = state.div_ceil(size_of::<u64>());
        digest.state = KVec::from_elem(0, words, GFP_KERNEL)?;
        Ok(digest)
    }

    /// Sets the key of a keyed algorithm. May sleep.
    ///
    /// Errors: `EINVAL`; `ENOSYS` if the algorithm has none.
    pub fn set_key(&mut self, key: &[u8]) -> Result {
        let len = c_uint::try_from(key.len())?;
        // SAFETY: The algorithm is live and not in use, the key of that length.
        to_result(unsafe { shim::crypto_shash_setkey(self.algorithm.as_ptr(), key.as_ptr(), len) })
    }

    /// Length of the digest, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Calculates the digest of `data` into the front of `out`; returns that part. Doesn't sleep.
    ///
    /// Errors: what the algorithm says, such as `ENOKEY`.
    pub fn of_bytes<'a>(&mut self, data: &[u8], out: &'a mut [u8; DIGEST_MAX]) -> Result<&'a [u8]> {
        self.start()?;
        self.add(data)?;
        self.finish(out)
    }

    /// Calculates the digest of all that remains of `data`, as [`Digest::of_bytes`] does.
    pub fn of_payload<'a>(
        &mut self,
        data: &Payload<'_>,
        out: &'a mut [u8; DIGEST_MAX],
    ) -> Result<&'a [u8]> {
        self.start()?;
        let mut result = Ok(());
        data.for_each_chunk(|chunk| {
            if result.is_ok() {
                result = self.add(chunk);
            }
        });
        result?;
        self.finish(out)
    }

    fn start(&mut self) -> Result {
        // SAFETY: The state is of the algorithm's size, and aligned.
        to_result(unsafe {
            shim::tandem_shash_init(self.state.as_mut_ptr().cast(), self.algorithm.as_ptr())
        })
    }

    /// Only after `start`, which is the reason that it isn't public.
    fn add(&mut self, data: &[u8]) -> Result {
        let len = c_uint::try_from(data.len())?;
        // SAFETY: The state was started, and `data` is of that length.
        to_result(unsafe {
            shim::tandem_shash_update(self.state.as_mut_ptr().cast(), data.as_ptr(), len)
        })
    }

    fn finish<'a>(&mut self, out: &'a mut [u8; DIGEST_MAX]) -> Result<&'a [u8]> {
        // SAFETY: The state was started, and `out` has room for any digest.
        to_result(unsafe {
            shim::tandem_shash_final(self.state.as_mut_ptr().cast(), out.as_mut_ptr())
        })?;
        out.get(..self.size).ok_or(EINVAL)
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        // SAFETY: Ours, and not in use.
        unsafe { shim::tandem_shash_free(self.algorithm.as_ptr()) };
    }
}
