// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.util.function.Supplier;

/**
 * What commands work with. A test gives its own.
 *
 * @param console where to write
 * @param devices makes the devices, when a command first needs some: help works without native access
 * @param cancellation what Ctrl-C reaches
 * @param rehearsal what is done before a migration to warm up for it
 */
record Environment(Console console, Supplier<Devices> devices, Cancellation cancellation, Runnable rehearsal) {}
