// SPDX-License-Identifier: Apache-2.0
/** One suite of what every migratable device must do, run against the emulator and against real drivers alike. */
@NullMarked
package io.vfio4j.it.contract;

import org.jspecify.annotations.NullMarked;
