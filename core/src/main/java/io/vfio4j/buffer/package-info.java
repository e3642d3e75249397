// SPDX-License-Identifier: Apache-2.0
/**
 * Off-heap buffers, allocated once and counted: page-aligned, touched before use, capped in bytes. Knows only the
 * bindings.
 */
@NullMarked
package io.vfio4j.buffer;

import org.jspecify.annotations.NullMarked;
