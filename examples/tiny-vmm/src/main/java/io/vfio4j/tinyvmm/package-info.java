// SPDX-License-Identifier: Apache-2.0
/** A virtual machine monitor on KVM that migrates its guest. docs/embedding.md walks through it. */
@NullMarked
package io.vfio4j.tinyvmm;

import org.jspecify.annotations.NullMarked;
