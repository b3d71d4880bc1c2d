// SPDX-License-Identifier: GPL-2.0

//! Connections: made, changed, ended.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::digests;
use crate::driver::Driver;
use crate::engine::control::{
    AttrBlock,
    AttrIter,
    CfgContext,
    DisconnectParms,
    NetConf,
    RetCode, //
};
use crate::engine::options::{
    Fencing,
    FixedBytes,
    NetOptions,
    OnCongestion,
    OptionTable,
    WireProtocol, //
};
use crate::engine::resource::Admin;
use crate::engine::state::{
    ConnState,
    DiskState,
    Role, //
};
use crate::login;
use crate::resource::{
    Core,
    Resource, //
};
use crate::status::View;
use crate::sys::pin::ModulePin;
use crate::sys::socket::Address;

use super::Call;

/// Options that can't be changed later: `discard-my-data` and `tentative`.
const INVARIANT: [u16; 2] = [25, 28];

/// An address of a request, if it has one that we can use.
fn address(bytes: &Option<FixedBytes<128>>) -> Option<Address> {
    Address::from_bytes(bytes.as_ref()?.as_bytes())
}

/// The resource whose connection has both addresses. May sleep.
pub(super) fn find_connection(driver: &Driver, context: &CfgContext) -> Option<Arc<Resource>> {
    let own = address(&context.ctx_my_addr)?;
    let peer = address(&context.ctx_peer_addr)?;
    let registry = driver.registry.lock();
    registry
        .resources
        .iter()
        .find(|resource| resource.addresses() == (Some(own), Some(peer)))
        .cloned()
}

/// Takes both addresses for a resource, if no other has one of them. May sleep.
fn take_addresses(
    driver: &Driver,
    resource: &Resource,
    own: Address,
    peer: Address,
) -> core::result::Result<(), RetCode> {
    let registry = driver.registry.lock();
    for other in &registry.resources {
        let (used, used_peer) = other.addresses();
        if used == Some(own) {
            return Err(RetCode::ERR_LOCAL_ADDR);
        }
        if used_peer == Some(peer) {
            return Err(RetCode::ERR_PEER_ADDR);
        }
    }
    resource.set_addresses(Some(own), Some(peer));
    Ok(())
}

/// Tells the engine the changed options of a connection.
// Apart: a command has a copy of them of its own.
#[inline(never)]
fn put_in_force(resource: &Arc<Resource>, options: &NetOptions) -> RetCode {
    resource.command(None, |_| Admin::NetOptions {
        options: options.clone(),
    })
}

impl Call<'_> {
    /// `CONNECT`: begins to look for the peer.
    // Apart: the kernel's stack is small, and this takes much of it.
    #[inline(never)]
    pub(super) fn connect(&mut self, resource: &Arc<Resource>) -> RetCode {
        let invalid = RetCode::ERR_INVALID_REQUEST;
        let context = &self.context;
        if context.ctx_my_addr.is_none() || context.ctx_peer_addr.is_none() {
            return self.refuse(invalid, "connection endpoint(s) missing");
        }
        let own = address(&context.ctx_my_addr);
        let peer = address(&context.ctx_peer_addr);
        let (Some(own), Some(peer)) = (own, peer) else {
            let why = "only IPv4 and IPv6 addresses are supported";
            return self.refuse(invalid, why);
        };
        let former = resource.addresses();
        if let Err(code) = take_addresses(self.driver, resource, own, peer) {
            return code;
        }
        let up = || resource.glance(|core| core.decisions.conn()) > ConnState::StandAlone;
        let was_up = up();
        let code = self.begin(resource);
        // A command that is killed may have begun.
        if !code.is_success() && (was_up || !up()) {
            resource.set_addresses(former.0, former.1);
        }
        code
    }

    fn begin(&mut self, resource: &Arc<Resource>) -> RetCode {
        if let Err(code) = resource.settle() {
            return code;
        }
        if resource.conn() > ConnState::StandAlone {
            return RetCode::ERR_NET_CONFIGURED;
        }
        // A receiver that has just left may not have come to its end yet.
        resource.receiver.reap();
        let options = match self.attributes.parms::<NetConf>() {
            Ok(conf) => conf.options,
            Err(error) => return self.refuse_attribute(error),
        };
        let code = resource.glance(|core| check_options(resource, core, &options));
        if code != RetCode::NO_ERROR {
            return code;
        }
        if let Err(code) = self.check_supported(&options) {
            return code;
        }
        let Some(pin) = ModulePin::new() else {
            return RetCode::ERR_INTR;
        };
        if let Err(error) = resource.receiver.prepare(resource) {
            return if error == ENOMEM {
                RetCode::ERR_NOMEM
            } else {
                RetCode::ERR_INTR
            };
        }
        *resource.pin.lock() = Some(pin);
        // Traffic is counted for each connection.
        for device in resource.link.devices() {
            device.volume.lock().restart_traffic();
        }
        let code = resource.command(None, |_| Admin::Connect { options });
        if code.is_success() {
            return RetCode::SS_SUCCESS;
        }
        // A command that is killed may have begun.
        if resource.glance(|core| core.decisions.conn()) > ConnState::StandAlone {
            return code;
        }
        resource.receiver.leave();
        resource.receiver.reap();
        *resource.pin.lock() = None;
        code
    }

    /// `CHG_NET_OPTS`: changes the options of a connection.
    #[inline(never)]
    pub(super) fn net_options(&mut self, resource: &Arc<Resource>) -> RetCode {
        let Some(former) = resource.glance(|core| core.decisions.net().cloned()) else {
            let why = "net conf missing, try connect";
            return self.refuse(RetCode::ERR_INVALID_REQUEST, why);
        };
        let mut conf = NetConf {
            options: former.clone(),
        };
        if self.wants_defaults() {
            conf.options.set_defaults();
        }
        let payload = self.attributes.block::<NetConf>().unwrap_or(&[]);
        if let Err(error) = conf.update(payload) {
            return self.refuse_attribute(error);
        }
        let fixed = |attribute| matches!(attribute, Ok((nr, _)) if INVARIANT.contains(&nr));
        if AttrIter::new(payload).any(fixed) {
            let why = "cannot change invariant setting";
            return self.refuse(RetCode::ERR_MANDATORY_TAG, why);
        }
        let options = conf.options;
        let code = resource.glance(|core| {
            let code = check_options(resource, core, &options);
            if code != RetCode::NO_ERROR {
                return code;
            }
            check_running(core, &former, &options)
        });
        if code != RetCode::NO_ERROR {
            return code;
        }
        if let Err(code) = self.check_supported(&options) {
            return code;
        }
        put_in_force(resource, &options)
    }

    /// `DISCONNECT`: leaves the peer.
    pub(super) fn disconnect(&mut self, resource: &Arc<Resource>) -> RetCode {
        let force = match self.attributes.parms::<DisconnectParms>() {
            Ok(parms) => parms.force_disconnect.unwrap_or(false),
            Err(error) => return self.refuse_attribute(error),
        };
        let code = resource.command(None, |_| Admin::Disconnect { force });
        if !code.is_success() {
            return code;
        }
        resource.receiver.reap();
        RetCode::NO_ERROR
    }

    /// Refuses what is not there yet, and digests that the kernel does not have.
    fn check_supported(&mut self, options: &NetOptions) -> core::result::Result<(), RetCode> {
        if digests::find(&options.csums_alg).is_err() {
            let why = "csums-alg: the kernel has no such digest: load its module, or take another";
            return Err(self.refuse(RetCode::ERR_CSUMS_ALG, why));
        }
        if digests::find(&options.verify_alg).is_err() {
            let why = "verify-alg: the kernel has no such digest: load its module, or take another";
            return Err(self.refuse(RetCode::ERR_VERIFY_ALG, why));
        }
        if digests::find(&options.data_integrity_alg).is_err() {
            let why =
                "data-integrity-alg: the kernel has no such digest; load its module or use another";
            return Err(self.refuse(RetCode::ERR_INTEGRITY_ALG, why));
        }
        if login::digest(options).is_err() {
            let why =
                "cram-hmac-alg: the kernel has no such digest: load its module, or take another";
            return Err(self.refuse(RetCode::ERR_AUTH_ALG, why));
        }
        Ok(())
    }
}

/// Checks options against each other and against the states, in DRBD's order.
fn check_options(resource: &Resource, core: &Core, new: &NetOptions) -> RetCode {
    let view = View { resource, core };
    let sum = view.summary();
    let both = sum.role == Role::Primary && sum.peer == Role::Primary;
    if !new.allow_two_primaries && both {
        return RetCode::ERR_NEED_ALLOW_TWO_PRI;
    }
    if new.allow_two_primaries && new.protocol != WireProtocol::C {
        return RetCode::ERR_NOT_PROTO_C;
    }
    for record in &core.records {
        let fences = record.disk_at_least(DiskState::Inconsistent).is_some()
            && record.options.fencing == Fencing::ResourceAndStonith;
        if fences && new.protocol == WireProtocol::A {
            return RetCode::ERR_STONITH_AND_PROT_A;
        }
        if record.state.role == Role::Primary && new.discard_my_data {
            return RetCode::ERR_DISCARD_IMPOSSIBLE;
        }
    }
    if new.on_congestion != OnCongestion::Block && new.protocol != WireProtocol::A {
        return RetCode::ERR_CONG_NOT_PROTO_A;
    }
    RetCode::NO_ERROR
}

/// Refuses to change a digest that is in use just now.
fn check_running(core: &Core, old: &NetOptions, new: &NetOptions) -> RetCode {
    use ConnState as C;
    let any = |states: &[C]| {
        let mut records = core.records.iter();
        records.any(|record| states.contains(&record.state.conn))
    };
    let resync = any(&[C::SyncSource, C::SyncTarget, C::PausedSyncS, C::PausedSyncT]);
    if resync && new.csums_alg != old.csums_alg {
        return RetCode::ERR_CSUMS_RESYNC_RUNNING;
    }
    if any(&[C::VerifyS, C::VerifyT]) && new.verify_alg != old.verify_alg {
        return RetCode::ERR_VERIFY_RUNNING;
    }
    RetCode::NO_ERROR
}
