// SPDX-License-Identifier: Apache-2.0
/**
 * {@code linux/iommufd.h}: constants in {@link io.vfio4j.ffm.iommufd.Iommufd}, one class per struct, and the ioctls of
 * {@code /dev/iommu} as methods of {@link io.vfio4j.ffm.iommufd.IommuFd}.
 */
@NullMarked
package io.vfio4j.ffm.iommufd;

import org.jspecify.annotations.NullMarked;
