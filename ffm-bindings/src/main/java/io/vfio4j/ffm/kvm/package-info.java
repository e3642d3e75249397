// SPDX-License-Identifier: Apache-2.0
/**
 * {@code linux/kvm.h}, what dirty logging needs of it: constants in {@link io.vfio4j.ffm.kvm.Kvm}, one class per
 * struct, and one type per kind of file descriptor. Registers are those of x86.
 *
 * <p>All calls on a VM and its vCPUs fail with {@code EIO} in any process but the one that made the VM: passing their
 * fds to another one does not help.
 */
@NullMarked
package io.vfio4j.ffm.kvm;

import org.jspecify.annotations.NullMarked;
