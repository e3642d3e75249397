// SPDX-License-Identifier: Apache-2.0
/** The handlers that this library has for parts of a machine: what implements {@code StateHandler}. */
@NullMarked
package io.vfio4j.migration.handler;

import org.jspecify.annotations.NullMarked;
