// SPDX-License-Identifier: Apache-2.0
/** Runs vfio4j and what users would pick instead in turn, on the same devices, and says what their ratios are. */
@NullMarked
package io.vfio4j.bench.compare;

import org.jspecify.annotations.NullMarked;
