// SPDX-License-Identifier: Apache-2.0
/** JMH benchmarks of whole migrations between emulated devices: pre-copy throughput, and downtime with its parts. */
@NullMarked
package io.vfio4j.bench;

import org.jspecify.annotations.NullMarked;
