"""The pages of single records (各对象详情页): institution, project, sample, test, finding, person, instrument."""
