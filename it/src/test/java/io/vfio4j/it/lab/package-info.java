// SPDX-License-Identifier: Apache-2.0
/** What runs inside the lab: a User-Mode Linux kernel with real VFIO drivers. Tests here carry the tag {@code lab}. */
@NullMarked
package io.vfio4j.it.lab;

import org.jspecify.annotations.NullMarked;
