// SPDX-License-Identifier: Apache-2.0
/** How cost and memory grow with the size and the number of what migrates. */
@NullMarked
package io.vfio4j.bench.scale;

import org.jspecify.annotations.NullMarked;
