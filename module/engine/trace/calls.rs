// SPDX-License-Identifier: GPL-2.0

//! One table of methods for each value; from its lines come the method that writes the call down
//! and the one that makes it again.

/// Lets methods of a value be called through [`Traced`](super::Traced):
/// `fn name(argument: Type) with fx -> Result;`, where `with fx` stands for a last argument that
/// takes effects. Arguments are [`Code`](super::Code), results `Debug`.
///
/// `call` makes a recorded call again: `None` if there is no such method, or an argument is
/// garbled. It says the arguments to `say`.
macro_rules! calls {
    (
        impl [$($generics:tt)*] $value:ty;
        $(
            $(#[$lint:meta])*
            fn $name:ident($($arg:ident: $type:ty),*) $(with $fx:ident)? $(-> $result:ty)?;
        )*
    ) => {
        impl<$($generics)* R: $crate::engine::trace::Recorder>
            $crate::engine::trace::Traced<$value, R>
        {
            $(
                /// As the value's method of this name. Written down.
                $(#[$lint])*
                #[inline]
                pub fn $name(
                    &mut self,
                    $($arg: $type,)*
                    $($fx: &mut $crate::engine::volume::Effects,)?
                ) $(-> $result)? {
                    let on = self.begin(stringify!($name), &|_w| {
                        $($crate::engine::trace::Code::put(&$arg, _w)?;)*
                        Ok(())
                    });
                    let result = self.value.$name($($arg,)* $($fx)?);
                    if on {
                        self.end_call(&result, &[$(&*$fx)?]);
                    }
                    result
                }
            )*

            fn call_method(
                &mut self,
                name: &str,
                arguments: &mut $crate::engine::bytes::Reader<'_>,
                say: &mut dyn core::fmt::Write,
            ) -> Option<()> {
                $(
                    if name == stringify!($name) {
                        $(let $arg = <$type as $crate::engine::trace::Code>::get(arguments)?;)*
                        $(let mut $fx = $crate::engine::volume::Effects::new();)?
                        $crate::engine::trace::say_arguments(say, &[$(&$arg),*])?;
                        let _ = self.$name($($arg,)* $(&mut $fx)?);
                        return Some(());
                    }
                )*
                None
            }
        }
    };
}

pub(super) use calls;
