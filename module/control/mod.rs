// SPDX-License-Identifier: GPL-2.0

//! The control face: the generic netlink family `drbd`.
//!
//! A request is checked by the family's tables, addressed to a resource or a minor, and then done
//! by one of the files of this folder. Locks: whoever changes what is configured holds the
//! resource's `config` lock meanwhile; the registry is looked at and left at once.
#![forbid(unsafe_code)]

mod attributes;
pub mod disk;
mod dump;
mod minor;
mod net;
pub mod reply;
mod resource;
mod state;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::driver::Driver;
use crate::engine::control::{
    AttrBlock,
    AttrError,
    CfgContext,
    Command,
    RetCode,
    EVENTS_GROUP,
    FAMILY_NAME,
    FAMILY_VERSION,
    FLAG_SET_DEFAULTS, //
};
use crate::engine::options::OptionSpec;
use crate::resource::Resource;
use crate::sys::genl::{
    self,
    DumpOut,
    Family,
    FamilySpec,
    Handler,
    Request, //
};
use crate::turn::Taken;

use attributes::Attributes;
use reply::Reply;

pub use resource::remove;

/// Commands from here on would have their netlink flags checked by the kernel.
const STRICT_FROM: u8 = 42;

/// Serves the family.
pub struct Control {
    driver: Arc<Driver>,
}

/// Registers the family; commands may come before this returns. May sleep.
///
/// Errors: `EEXIST` while the C driver is loaded, `ENOMEM`.
pub fn register(driver: &Arc<Driver>) -> Result {
    let spec = FamilySpec {
        name: FAMILY_NAME,
        version: FAMILY_VERSION.into(),
        group: EVENTS_GROUP,
        strict_from: STRICT_FROM,
        parallel: true,
    };
    let mut commands = KVec::new();
    for command in Command::ALL.iter().filter(|command| !command.is_event()) {
        let command = genl::Command {
            number: command.number(),
            admin: command.needs_admin(),
            can_do: command.has_do(),
            can_dump: command.has_dump(),
        };
        commands.push(command, GFP_KERNEL)?;
    }
    let control = Control {
        driver: driver.clone(),
    };
    let family = Family::register(&spec, &commands, control)?;
    driver.notifier.open(family);
    Ok(())
}

impl Handler for Control {
    fn do_it(&self, request: &Request<'_>) -> Result {
        let command = Command::from_number(request.command()).ok_or(EOPNOTSUPP)?;
        let attributes = Attributes::parse(request.attributes(), command)?;
        // The kernel's own check takes the network namespace's administrator too.
        if command != Command::GetStatus && !request.caller_is_net_admin() {
            return Err(EPERM);
        }
        let context = attributes.block::<CfgContext>();
        let parsed = CfgContext::parse(context.unwrap_or(&[])).map_err(|_| EINVAL)?;
        let reply = Reply::new(request, context)?;
        let mut call = Call {
            driver: &self.driver,
            request,
            command,
            attributes,
            minor: request.header().minor,
            context: parsed,
            resource: None,
            device: None,
            reply,
        };
        let code = match call.address() {
            Ok(()) => call.run()?,
            Err(code) => code,
        };
        call.reply.finish(code)
    }

    fn dump(&self, request: &Request<'_>, cursor: &mut [u64; 6], out: &mut DumpOut<'_>) -> Result {
        dump::part(&self.driver, request, cursor, out)
    }
}

/// One request that is being done.
struct Call<'a> {
    driver: &'a Arc<Driver>,
    request: &'a Request<'a>,
    command: Command,
    attributes: Attributes<'a>,
    minor: u32,
    context: CfgContext,
    /// What it is addressed to, if that exists.
    resource: Option<Arc<Resource>>,
    device: Option<Arc<Device>>,
    reply: Reply<'a>,
}

/// What a command has to be addressed to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Minor,
    Resource,
    Connection,
}

fn need(command: Command) -> Need {
    match command {
        Command::NewMinor
        | Command::DelResource
        | Command::ResourceOpts
        | Command::Connect
        | Command::Down => Need::Resource,
        Command::ChgNetOpts | Command::Disconnect => Need::Connection,
        Command::NewResource => Need::Nothing,
        _ => Need::Minor,
    }
}

impl Call<'_> {
    /// Answers with a code and words for the administrator.
    fn refuse(&mut self, code: RetCode, why: &str) -> RetCode {
        self.reply.say(why);
        code
    }

    /// Refuses a request for what is in its attributes.
    fn refuse_attribute(&mut self, error: AttrError) -> RetCode {
        let what = match error {
            AttrError::Missing(_) => "required attribute missing",
            _ => "invalid attribute value",
        };
        let name = error.attribute();
        match (name, name.and_then(OptionSpec::named)) {
            (_, Some(spec)) => self
                .reply
                .explain(format_args!("{}: {} can be {}", what, spec.name, spec.kind)),
            (Some(name), None) => self.reply.explain(format_args!("{}: {}", what, name)),
            (None, None) => self.reply.say(what),
        }
        RetCode::ERR_MANDATORY_TAG
    }

    /// Whether the options start from their defaults, not from what is set now.
    fn wants_defaults(&self) -> bool {
        self.request.header().code & FLAG_SET_DEFAULTS != 0
    }

    /// Finds what the request is addressed to.
    fn address(&mut self) -> core::result::Result<(), RetCode> {
        self.device = self.driver.device(self.minor);
        let name = self.context.ctx_resource_name;
        self.resource = name.and_then(|name| self.driver.resource(name.as_bytes()));
        match need(self.command) {
            Need::Minor if self.device.is_none() => {
                return Err(self.refuse(RetCode::ERR_MINOR_INVALID, "unknown minor"));
            }
            Need::Resource if self.resource.is_none() => {
                let code = match name {
                    Some(_) => RetCode::ERR_RES_NOT_KNOWN,
                    None => RetCode::ERR_INVALID_REQUEST,
                };
                return Err(self.refuse(code, "unknown resource"));
            }
            Need::Connection => self.address_connection()?,
            _ => {}
        }
        self.check_address()?;
        if self.resource.is_none() {
            self.resource = self.device.as_ref().map(|device| device.resource.clone());
        }
        Ok(())
    }

    /// Finds the connection by its addresses, and nothing else.
    fn address_connection(&mut self) -> core::result::Result<(), RetCode> {
        let invalid = RetCode::ERR_INVALID_REQUEST;
        if self.resource.is_some() {
            return Err(self.refuse(invalid, "no resource name expected"));
        }
        if self.device.is_some() {
            return Err(self.refuse(invalid, "no minor number expected"));
        }
        self.resource = net::find_connection(self.driver, &self.context);
        if self.resource.is_none() {
            return Err(self.refuse(invalid, "unknown connection"));
        }
        Ok(())
    }

    /// Refuses a request that is addressed to two different things.
    fn check_address(&mut self) -> core::result::Result<(), RetCode> {
        let Some(device) = &self.device else {
            return Ok(());
        };
        let other = self
            .resource
            .as_ref()
            .is_some_and(|resource| !Arc::ptr_eq(resource, &device.resource));
        let volume = self.context.ctx_volume;
        let other_volume = volume.is_some_and(|volume| volume != u32::from(device.number));
        let invalid = RetCode::ERR_INVALID_REQUEST;
        if other {
            return Err(self.refuse(invalid, "minor exists in different resource"));
        }
        if other_volume {
            return Err(self.refuse(invalid, "minor exists as different volume"));
        }
        Ok(())
    }

    /// Does the command; what it is addressed to was found.
    ///
    /// Errors: those that the caller gets as an errno instead of a reply.
    fn run(&mut self) -> Result<RetCode> {
        if self.command == Command::NewResource {
            return Ok(self.new_resource());
        }
        let resource = self.resource.clone().ok_or(EINVAL)?;
        if need(self.command) == Need::Minor {
            let device = self.device.clone().ok_or(EINVAL)?;
            if matches!(self.command, Command::GetStatus | Command::GetTimeoutType) {
                return self.look(&device);
            }
            if self.command == Command::Detach {
                self.give_up_disk(&device);
            }
            let Ok(config) = resource.config.take() else {
                return Ok(RetCode::ERR_INTR);
            };
            if !self.driver.has_device(&device) {
                return Ok(self.refuse(RetCode::ERR_MINOR_INVALID, "unknown minor"));
            }
            let code = self.run_at_device(&config, &device);
            return Ok(self.explain_silence(&resource, code));
        }
        let Ok(config) = resource.config.take() else {
            return Ok(RetCode::ERR_INTR);
        };
        if !self.driver.has_resource(&resource) {
            return Ok(self.refuse(RetCode::ERR_RES_NOT_KNOWN, "unknown resource"));
        }
        let code = self.run_at_resource(&config, &resource);
        Ok(self.explain_silence(&resource, code))
    }

    /// Says which disk held a command up, if one did.
    fn explain_silence(&mut self, resource: &Resource, code: RetCode) -> RetCode {
        if code != RetCode::SS_IN_TRANSIENT_STATE {
            return code;
        }
        if let Some((device, silent_ms)) = resource.silent_disk() {
            let (minor, seconds) = (device.minor, silent_ms / 1000);
            self.reply.explain(format_args!(
                "the lower device of minor {minor} has not answered for {seconds} s; what was \
                 begun goes on when it does (detach --force gives it up)"
            ));
        }
        code
    }

    fn run_at_resource(&mut self, _config: &Config<'_>, resource: &Arc<Resource>) -> RetCode {
        match self.command {
            Command::NewMinor => self.new_minor(resource),
            Command::DelResource => resource::delete(self.driver, resource),
            Command::ResourceOpts => self.resource_options(resource),
            Command::Connect => self.connect(resource),
            Command::ChgNetOpts => self.net_options(resource),
            Command::Disconnect => self.disconnect(resource),
            Command::Down => self.down(resource),
            _ => RetCode::ERR_INVALID_REQUEST,
        }
    }

    fn run_at_device(&mut self, _config: &Config<'_>, device: &Arc<Device>) -> RetCode {
        match self.command {
            Command::DelMinor => minor::delete(self.driver, device),
            Command::Attach => self.attach(device),
            Command::Detach => self.detach(device),
            Command::ChgDiskOpts => self.disk_options(device),
            Command::Resize => self.resize(device),
            _ => self.change_state(device),
        }
    }
}

/// Proof that it is this command's turn at a resource.
type Config<'a> = Taken<'a>;
