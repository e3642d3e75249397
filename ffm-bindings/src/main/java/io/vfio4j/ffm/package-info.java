// SPDX-License-Identifier: Apache-2.0
/**
 * The C library and the building blocks of the bindings: {@link io.vfio4j.ffm.LibC} is the seam that an emulator or a
 * scripted kernel takes the place of, {@link io.vfio4j.ffm.Struct} describes C structs, {@link io.vfio4j.ffm.Errno}
 * names errors.
 *
 * <p>The kernel's convention holds throughout: a call returns a value ≥ 0, or {@code -errno}. Meaning is given above,
 * in {@code core}.
 */
@NullMarked
package io.vfio4j.ffm;

import org.jspecify.annotations.NullMarked;
