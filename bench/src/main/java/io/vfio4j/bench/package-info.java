// SPDX-License-Identifier: Apache-2.0
/** JMH benchmarks, from a system call to the downtime of a whole migration, and the comparison of their results. */
@NullMarked
package io.vfio4j.bench;

import org.jspecify.annotations.NullMarked;
