// SPDX-License-Identifier: Apache-2.0
/** Tests of the whole: the arrows between modules, and migrations between devices and between processes. */
@NullMarked
package io.vfio4j.it;

import org.jspecify.annotations.NullMarked;
