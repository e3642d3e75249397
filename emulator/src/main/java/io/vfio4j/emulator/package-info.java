// SPDX-License-Identifier: Apache-2.0
/**
 * Migratable VFIO devices inside this process: {@link io.vfio4j.emulator.EmulatedKernel} answers the system calls on
 * them as Linux does, {@link io.vfio4j.emulator.EmulatedDevice} is one of them, {@link io.vfio4j.emulator.Faults} makes
 * it fail on purpose.
 *
 * <p>The file descriptors are real, and the state's bytes move by real system calls between a file in memory and the
 * caller's buffer. What is emulated is the driver: states, sessions, dirtying and errors.
 */
@NullMarked
package io.vfio4j.emulator;

import org.jspecify.annotations.NullMarked;
