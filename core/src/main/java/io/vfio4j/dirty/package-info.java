// SPDX-License-Identifier: Apache-2.0
/**
 * Which memory was written to: five sources of the kernel behind one interface, and the bitmap that they fill. Knows
 * only the bindings.
 */
@NullMarked
package io.vfio4j.dirty;

import org.jspecify.annotations.NullMarked;
